import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MirrorRule } from '../../src/registry/mirrors.ts';
import type { CliContext } from '../context.ts';
import { temporaryRoot } from './directories.ts';

/**
 * Mirrors as the container engine reads them: it knows nothing of mirror sets. `blocked` is how the source is left out,
 * as the machine config operator writes it.
 *
 * @see containers-registries.conf(5)
 */
export function formatRegistriesConf(rules: readonly MirrorRule[]): string {
  const lines = rules.flatMap((rule) => [
    '[[registry]]',
    `prefix = ${JSON.stringify(rule.prefix)}`,
    ...locationLine(rule),
    ...(rule.isInsecure ? ['insecure = true'] : []),
    ...(rule.mayContactSource === false ? ['blocked = true'] : []),
    ...rule.mirrors.flatMap(({ location, pull, isInsecure }) => [
      '[[registry.mirror]]',
      `location = ${JSON.stringify(location)}`,
      ...(pull === 'all' ? [] : [`pull-from-mirror = ${JSON.stringify(pull)}`]),
      ...(isInsecure ? ['insecure = true'] : []),
    ]),
    '',
  ]);
  return lines.join('\n');
}

/** Writes them to a file that is removed when the process ends. */
export async function writeRegistriesConf(
  rules: readonly MirrorRule[],
  { env, cleanups }: Pick<CliContext, 'env' | 'cleanups'>,
): Promise<string> {
  const directory = await mkdtemp(join(temporaryRoot(env), 'kmodlayer-'));
  cleanups.add(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const file = join(directory, 'registries.conf');
  await writeFile(file, formatRegistriesConf(rules));
  return file;
}

/** A prefix with a wildcard stands for many places, and has no location of its own. */
function locationLine({ location, prefix }: MirrorRule): readonly string[] {
  const place = location ?? (prefix.startsWith('*.') ? undefined : prefix);
  return place === undefined ? [] : [`location = ${JSON.stringify(place)}`];
}
