import type { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { CHECK_IDS, type Verdict } from '../../src/verify/report.ts';
import { bootMutants, type MutantBoot, type Outcome } from '../mutants/boot-mutants.ts';
import {
  byId,
  type Difference,
  documentedDifferences,
  documentedDisputes,
  type Mode,
} from '../mutants/documented.ts';
import { CRASHING_MUTANTS } from '../mutants/crashing-mutants.ts';
import { type MadeMutant, type MadeMutants, makeMutants } from '../mutants/make-mutants.ts';
import type { Behaviour, Series } from '../mutants/mutant.ts';
import { MutantKeys } from '../mutants/mutant-keys.ts';
import { MUTANTS } from '../mutants/mutants.ts';
import { type Proof, prepareProof, prove } from '../mutants/prove.ts';
import { type DebianKernel, listDebianKernels } from '../support/kernels.ts';

const ALL = [...MUTANTS, ...CRASHING_MUTANTS];
const KERNELS = [...listDebianKernels(), ...listDebianKernels('kernels-rt')];
const MODES: readonly Mode[] = ['open', 'enforced'];

/** What one kernel was shown. */
interface Shown {
  readonly made: MadeMutants;
  readonly proof: Proof;
  /** Its mutants, and unbroken modules that were built for the other kernels. */
  readonly mutants: readonly MadeMutant[];
}

let scratch: string;
let trusted: readonly X509Certificate[];
const shown = new Map<string, Shown>();
const agreement: string[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-mutants-'));
  trusted = await MutantKeys.make(scratch);
  const made = await Promise.all(
    KERNELS.map(async (kernel) => {
      const options = { kernel, mutants: ALL, keys: scratch, directory: scratch };
      return [kernel, await makeMutants(options)] as const;
    }),
  );
  for (const [kernel, one] of made) {
    const foreign = made.flatMap(([other, { mutants }]) =>
      other === kernel ? [] : mutants.flatMap((mutant) => asForeign(mutant, other)),
    );
    const proof = await prepareProof(kernel, one, scratch);
    shown.set(kernel.release, { made: one, proof, mutants: [...one.mutants, ...foreign] });
  }
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
  process.stdout.write(`\n${agreement.map((line) => `${line}\n`).join('')}`);
});

describe('the mutants', () => {
  it('have names of their own, and break each check that load_module() makes in several ways', () => {
    const ids = ALL.map(({ id }) => id);
    const checks = new Map(
      CHECK_IDS.map((check) => [check, ALL.filter((one) => one.check === check).length]),
    );

    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(250);
    for (const check of CHECK_IDS.slice(0, CHECK_IDS.indexOf('parameters') + 1)) {
      expect([check, checks.get(check)]).not.toEqual([check, 0]);
    }
  });

  it('on which kernels disagree stand in docs/verdicts.md', () => {
    const disputed = ALL.filter(({ kernelOf }) => kernelOf !== undefined && Object.keys(kernelOf).length > 0);

    expect(documentedDisputes()).toEqual(disputed.map(({ id }) => id).sort());
  });
});

describe.each(KERNELS)('mutants in $release', (kernel) => {
  const series = seriesOf(kernel.release);
  const boots = new Map<Mode, MutantBoot>();
  const crashes = new Map<string, Outcome>();

  beforeAll(async () => {
    const { made, mutants } = shownTo(kernel);
    const atOnce = pLimit(2);
    const boot = (chosen: readonly MadeMutant[], mode: Mode): Promise<MutantBoot> =>
      atOnce(() =>
        bootMutants({
          ...{ kernel, providers: made.providers, mutants: chosen },
          certificates: mode === 'open' ? undefined : trusted.map(({ raw }) => raw),
        }),
      );
    const harmless = mutants.filter(({ mutant }) => mutant.kernel !== 'crashes');
    // A boot for each, and one kernel of a series for all of it.
    const isFirst = KERNELS.find(({ release }) => seriesOf(release) === series) === kernel;
    const others = isFirst ? mutants.filter((made) => !harmless.includes(made)) : [];
    await Promise.all([
      ...MODES.map(async (mode) => boots.set(mode, await boot(harmless, mode))),
      ...others.map(async (made) => {
        for (const [id, outcome] of (await boot([made], 'open')).outcomes) crashes.set(id, outcome);
      }),
    ]);
  });

  it.each(MODES)('are loaded and refused as the table says (signatures %s)', (mode) => {
    const boot = bootOf(mode);
    const outcomes = new Map([...boot.outcomes, ...(mode === 'open' ? crashes : [])]);
    const expected = shownTo(kernel)
      .mutants.filter(({ mutant }) => outcomes.has(mutant.id) || mutant.kernel !== 'crashes')
      .map(({ mutant }) => {
        const behaviour = mutant.kernelOf?.[series] ?? mutant.kernel;
        return `${mutant.id}: ${kindFor(behaviour, mode) ?? outcomes.get(mutant.id)?.kind ?? 'not loaded'}`;
      });
    const found = [...outcomes].map(([id, { kind }]) => `${id}: ${kind}`);

    expect(boot.isEnforced).toBe(mode === 'enforced');
    expect(boot.lockdown).toBe(mode === 'enforced' ? 'integrity' : 'none');
    expect(found.sort()).toEqual(expected.sort());
  });

  it.each(MODES)(
    'are judged by the proof as by the kernel, but for what is documented (signatures %s)',
    async (mode) => {
      const { mutants, proof } = shownTo(kernel);
      const seen = new Map([...crashes, ...bootOf(mode).outcomes]);
      const certificates = mode === 'open' ? undefined : trusted.map(({ raw }) => parseCertificate(raw));
      const differences: (Difference & { why: readonly string[] })[] = [];
      const counts = { 'both accept': 0, 'both refuse': 0, differ: 0 };
      for (const made of mutants) {
        const { id } = made.mutant;
        const outcome = seen.get(id);
        if (outcome === undefined) continue;
        const report = await prove(made, proof, certificates);
        const said: Verdict = report?.verdict ?? 'fails';
        const does = DOES[outcome.kind];
        if (said === (does === 'refuses' ? 'fails' : 'passes') && does !== 'crashes') {
          counts[does === 'refuses' ? 'both refuse' : 'both accept']++;
          continue;
        }
        counts.differ++;
        const checks = report?.checks.filter(({ status }) => status === 'fail' || status === 'warn') ?? [];
        const messages = checks.map((check) => `${check.id} ${check.status}: ${check.message}`);
        differences.push({
          id,
          proof: said,
          does,
          why: [...messages, ...outcome.messages.slice(0, 5)],
        });
      }
      agreement.push(
        `${kernel.release}, signatures ${mode}: ${Object.entries(counts)
          .map(([what, count]) => `${what} ${count}`)
          .join(', ')}`,
      );
      const documented = documentedDifferences(series, mode).filter(({ id }) => seen.has(id));
      const unlisted = differences.filter(({ id }) => !documented.some((one) => one.id === id));

      expect(unlisted).toEqual([]);
      expect(differences.map(({ id, proof, does }) => ({ id, proof, does })).sort(byId)).toEqual(documented);
    },
  );

  function bootOf(mode: Mode): MutantBoot {
    const boot = boots.get(mode);
    if (boot === undefined) throw new Error(`${kernel.release} was not booted`);
    return boot;
  }
});

function seriesOf(release: string): Series {
  return release.startsWith('6.12.') ? '6.12' : '6.1';
}

function shownTo(kernel: DebianKernel): Shown {
  const one = shown.get(kernel.release);
  if (one === undefined) throw new Error(`There are no mutants for ${kernel.release}`);
  return one;
}

/** Modules without a fault, to be loaded into another kernel than they were built for: whether that works, it says. */
function asForeign({ mutant, ...made }: MadeMutant, other: DebianKernel): readonly MadeMutant[] {
  if (!mutant.id.startsWith('unchanged')) return [];
  const id = `${mutant.id}-built-for-${other.release}`;
  return [{ ...made, mutant: { ...mutant, id, check: 'module-layout', kernel: undefined } }];
}

/** Undefined where the table leaves it to the kernel. */
function kindFor(behaviour: Behaviour | undefined, mode: Mode): Outcome['kind'] | undefined {
  if (behaviour === 'crashes') return 'crashed';
  if (behaviour === 'refused-when-enforced') return mode === 'enforced' ? 'refused' : 'accepted';
  return behaviour;
}

const DOES = { accepted: 'accepts', refused: 'refuses', crashed: 'crashes' } as const;
