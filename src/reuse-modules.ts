import type { CompiledDriver } from './compile/compile.ts';
import { findKept } from './compile-unit.ts';
import { ModuleError } from './errors.ts';
import type { Io } from './io.ts';
import { decompressModule } from './kmod/compression.ts';
import type { KernelModule } from './kmod/module.ts';
import { readModule } from './kmod/read-module.ts';
import { readBase } from './layer/base.ts';
import { kmodImagePath } from './layer/kmod-image-files.ts';
import { readKernelFiles } from './layer/kernel-files.ts';
import { readSymvers } from './layer/layer.ts';
import { mergeWithBase } from './layer/merge-base.ts';
import type { PlacedDriver } from './layer/place.ts';
import { openImage } from './oci/open-image.ts';
import { formatReference } from './oci/reference.ts';
import type { CompileUnit } from './plan/plan.ts';
import { makeFindPublished, type PublishedModules } from './published-modules.ts';
import type { SigningCertificate } from './sign/open-signers.ts';
import type { DriverSet } from './spec/spec.ts';
import type { CheckId, ModuleReport, TargetReport } from './verify/report.ts';
import { verifyKmodDrivers } from './verify/verify-kmod-drivers.ts';

/** Whether a unit has to be compiled. `why` says it in a few words. */
export type ReuseOutcome =
  | { readonly isReusable: true; readonly why: string; readonly found: CompiledDriver }
  /** `why` is undefined when there was nothing to try. */
  | { readonly isReusable: false; readonly why: string | undefined };

/** Modules of other kernels that are tried on one kernel: what does not hold on the nearest seldom holds on others. */
const MAX_PROOFS = 3;

/** Symbols that a reason names. */
const MAX_NAMED = 3;

type ReuseIo = Pick<Io, 'images' | 'cache' | 'compiled' | 'signal'>;

/**
 * Finds, for a unit that would be compiled, modules that were compiled from the same source for another kernel and load on
 * this one as they are: each check of the static proof is made against the unit's own kernel, and must pass. The kernel
 * must compare CRCs of symbols, and its symbols must be known.
 *
 * @throws {RegistryError} {OciError} when what is published, or an OS image, cannot be read.
 */
export function makeReuse(
  set: DriverSet,
  certificates: readonly SigningCertificate[],
  io: ReuseIo,
): (unit: CompileUnit) => Promise<ReuseOutcome> {
  const findPublished = makeFindPublished(set, certificates, io);
  return async (unit) => {
    const { kernel, arch, flavour, sourceHash, driver, target } = unit;
    if (driver.build === undefined || (await findKept(unit, io)) !== undefined) return no(undefined);
    if (target.osImage.kernel !== kernel) {
      return no(`modules of other kernels cannot be proven for ${kernel}, which is in no OS image`);
    }
    const modules = driver.modules.map(({ name }) => name);
    let why: string | undefined;
    let proofs = 0;
    for await (const found of findPublished({
      sourceHash,
      modules,
      kernel,
      arch,
      flavour,
      stream: target.stream,
    })) {
      const proof = await prove(unit, found, certificates, io);
      if (typeof proof !== 'string') return { isReusable: true, ...reused(unit, found, proof) };
      why ??= `modules made for ${found.madeFor} do not hold: ${proof}`;
      if (++proofs === MAX_PROOFS) break;
    }
    return no(why);
  };
}

function no(why: string | undefined): ReuseOutcome {
  return { isReusable: false, why };
}

function reused(
  { driver, kernel }: CompileUnit,
  { image, madeFor, source, modules }: PublishedModules,
  report: TargetReport,
): { readonly why: string; readonly found: CompiledDriver } {
  const symbols = new Set(report.modules.flatMap((module) => module.symbols.map(({ symbol }) => symbol)))
    .size;
  return {
    why: `made for ${madeFor}; ${symbols} ${symbols === 1 ? 'symbol holds' : 'symbols hold'}`,
    found: {
      driver: driver.name,
      kernel,
      modules,
      symvers: undefined,
      source,
      madeFor: { kernel: madeFor, image: formatReference(image), symbols },
    },
  };
}

/** The proof of modules on the kernel of a unit, or what does not hold in a few words. */
async function prove(
  unit: CompileUnit,
  { modules }: PublishedModules,
  certificates: readonly SigningCertificate[],
  io: ReuseIo,
): Promise<TargetReport | string> {
  try {
    const report = await verifyOn(unit, modules, certificates, io);
    return problemOf(report) ?? report;
  } catch (error) {
    // Modules that no index can take in, or that are none.
    if (error instanceof ModuleError) return error.message;
    throw error;
  }
}

async function verifyOn(
  { driver, kernel, arch, target }: CompileUnit,
  modules: PublishedModules['modules'],
  certificates: readonly SigningCertificate[],
  io: ReuseIo,
): Promise<TargetReport> {
  // What is said aloud here is said when the image is made.
  const quiet = { cache: io.cache, report: () => undefined };
  const repository = await io.images.open(target.osImage.location, 'read');
  const image = await openImage(repository, target.osImage.digest, arch, io.cache);
  const base = await readBase(image, kernel, quiet);
  const symvers = await readSymvers(await readKernelFiles(image, kernel, quiet), quiet);
  const added: { path: string; module: KernelModule }[] = [];
  const placed: PlacedDriver['modules'][number][] = [];
  for (const spec of driver.modules) {
    const found = modules.find(({ name }) => name === spec.name);
    if (found === undefined) throw new TypeError(`No module ${spec.name} among those of ${driver.name}`);
    const bytes = await decompressModule(found.bytes);
    added.push({ path: kmodImagePath(driver.name, found.fileName), module: readModule(bytes) });
    placed.push({ ...spec, fileName: found.fileName, bytes });
  }
  const merged = await mergeWithBase({ image, base, kernel, added, ownConfig: new Map(), symvers }, quiet);
  return verifyKmodDrivers(
    {
      subject: formatReference(target.osImage.reference),
      os: { image, base },
      indexes: new Map([...base.indexes, ...merged.files]),
      kernel: { release: kernel, arch },
      release: target.release.version,
      drivers: [{ name: driver.name, modules: placed, softdeps: driver.softdeps, firmware: [] }],
      certificates: certificates.map(({ certificate }) => certificate),
    },
    quiet,
  );
}

/** Checks that must have been made: what could not be looked at is not proven. */
const NEEDED: readonly CheckId[] = [
  'versions',
  'architecture',
  'this-module',
  'module-layout',
  'vermagic',
  'symbols',
  'symbol-crcs',
  'licence',
];

/** What keeps a report from being a proof that modules of another kernel load. */
export function problemOf(
  report: Pick<TargetReport, 'modules' | 'verdict' | 'statement' | 'kernel'>,
): string | undefined {
  const uses = new Map(
    report.modules.flatMap(({ symbols }) =>
      symbols
        .filter(({ status }) => status !== 'ok' && status !== 'weak')
        .map((use) => [use.symbol, use.status] as const),
    ),
  );
  if (uses.size > 0) {
    const named = [...uses].slice(0, MAX_NAMED).map(([symbol, status]) => `${symbol} (${WORDS[status]})`);
    return `${named.join(', ')}${uses.size > MAX_NAMED ? ` and ${uses.size - MAX_NAMED} more` : ''}`;
  }
  for (const module of report.modules) {
    const problem = problemOfModule(module);
    if (problem !== undefined) return `${module.name}: ${problem}`;
  }
  if (report.verdict !== 'passes') return report.statement;
  return report.modules.length === 0 ? 'there are no modules' : undefined;
}

const WORDS = {
  ok: 'holds',
  weak: 'holds',
  missing: 'nobody exports it',
  'crc-changed': 'another CRC',
  'no-crc': 'no CRC',
  namespace: 'its namespace is not imported',
  licence: 'only for GPL modules',
} as const;

function problemOfModule({ checks }: ModuleReport): string | undefined {
  const failed = checks.find(({ status }) => status === 'fail');
  if (failed !== undefined) return failed.message;
  const open = NEEDED.flatMap((id) => {
    const check = checks.find((one) => one.id === id);
    if (check?.status === 'pass') return [];
    if (check !== undefined) return [check.message];
    return [id === 'versions' ? 'the kernel is not known to compare CRCs' : `${id} was not checked`];
  });
  return open[0];
}
