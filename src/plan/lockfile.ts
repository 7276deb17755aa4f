import { isAbsolute, join, relative } from 'node:path';
import { stringify } from 'yaml';
import { formatReference, type Reference, unpinned } from '../oci/reference.ts';
import type { ResolvedImage, Target } from '../resolve/target.ts';
import type { Lock } from './lock.ts';

const HEADER = `# What the releases and sources of a spec came to. Written by "kmodlayer lock", and not to be edited: keep it beside the
# spec and under version control. "kmodlayer lock --check" says what has moved since.
`;

/**
 * Writes a lock as YAML. The same lock is the same text, and each target has lines of its own.
 *
 * @param directory Where the file is going to be: layouts are named from there.
 */
export function formatLock({ spec, targets, excluded, pins }: Lock, directory: string): string {
  const aliases = aliasesOf(targets.flatMap(repositoriesOf), directory);
  const risks = new Map(
    targets.flatMap(({ update }) => update?.risks ?? []).map((risk) => [risk.name, risk]),
  );
  const document = {
    apiVersion: 'kmodlayer/v1',
    kind: 'Lock',
    spec,
    repositories: Object.fromEntries(
      [...aliases].map(([name, alias]) => [alias, name] as const).sort(byFirst),
    ),
    drivers: Object.entries(pins)
      .sort(byFirst)
      .map(([name, pin]) => ({ name, ...pin })),
    ...(excluded.length === 0
      ? {}
      : { excluded: excluded.map(({ version, because }) => ({ release: version, because })) }),
    ...(risks.size === 0 ? {} : { risks: [...risks.values()].sort((a, b) => compareText(a.name, b.name)) }),
    targets: targets.map((target) => entryOf(target, (reference) => nameIn(aliases, reference, directory))),
  };
  return `${HEADER}${stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

type Name = (reference: Reference) => string;

/** What is the same as what stands above it is left out. */
function entryOf(target: Target, name: Name): Readonly<Record<string, unknown>> {
  const { release, osImage, driverToolkit, extensions, update } = target;
  return {
    release: release.version,
    arch: target.arch,
    stream: target.stream,
    payload: name(release.reference),
    ...(release.signedBy === undefined ? {} : { signedBy: release.signedBy }),
    ...(update === undefined ? {} : { channel: update.channel }),
    ...(update === undefined || update.risks.length === 0
      ? {}
      : { risks: update.risks.map((risk) => risk.name).sort(compareText) }),
    osImage: imageText(osImage, name),
    ...(osImage.machineOs === '' ? {} : { machineOs: osImage.machineOs }),
    ...(target.rhelVersion === '' ? {} : { rhel: target.rhelVersion }),
    kernel: osImage.kernel,
    kernelSource: osImage.kernelSource,
    driverToolkit: imageText(driverToolkit, name),
    ...(driverToolkit.kernel === osImage.kernel ? {} : { toolkitKernel: driverToolkit.kernel }),
    ...(driverToolkit.rtKernel === undefined ? {} : { rtKernel: driverToolkit.rtKernel }),
    ...(driverToolkit.rhelVersion === target.rhelVersion ? {} : { toolkitRhel: driverToolkit.rhelVersion }),
    ...(extensions === undefined ? {} : { extensions: imageText(extensions, name) }),
  };
}

/** Name in the payload, where it is by digest and, when it is to be read elsewhere, the place of that. */
function imageText({ name, reference, location }: ResolvedImage, nameOf: Name): string {
  const here = nameOf(reference);
  const there = nameOf(location);
  return `${name} ${here}${there === here ? '' : ` ${there.slice(0, there.indexOf('@'))}`}`;
}

function repositoriesOf({ release, osImage, driverToolkit, extensions }: Target): readonly Reference[] {
  const images = [osImage, driverToolkit, ...(extensions === undefined ? [] : [extensions])];
  return [release.reference, ...images.flatMap(({ reference, location }) => [reference, location])];
}

/** A short word for each repository, by its name. */
function aliasesOf(references: readonly Reference[], directory: string): ReadonlyMap<string, string> {
  const names = [...new Set(references.map((reference) => repositoryName(reference, directory)))].sort();
  const taken = new Set<string>();
  return new Map(
    names.map((name) => {
      const last = name.replace(/^.*[/:]/, '').replaceAll(/[^A-Za-z0-9._-]/g, '_') || 'images';
      let alias = last;
      for (let number = 2; taken.has(alias); number++) alias = `${last}-${number}`;
      taken.add(alias);
      return [name, alias] as const;
    }),
  );
}

function nameIn(aliases: ReadonlyMap<string, string>, reference: Reference, directory: string): string {
  return `${aliases.get(repositoryName(reference, directory)) ?? ''}@${reference.digest ?? ''}`;
}

function repositoryName(reference: Reference, directory: string): string {
  const place = unpinned(reference);
  if (place.transport === 'docker' || !isAbsolute(place.path)) return formatReference(place);
  const path = relative(directory, place.path);
  return formatReference({ ...place, path: path.startsWith('..') ? path : `./${path}` });
}

/** The place that a name in a lock file stands for; `repositoryName` of it gives the name again. */
export function placeFrom(place: Reference, directory: string): Reference {
  if (place.transport === 'docker' || isAbsolute(place.path)) return place;
  return { ...place, path: join(directory, place.path) };
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return compareText(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
