import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ResolveError } from '../errors.ts';
import { fileErrorCode } from './atomic-file.ts';
import { mergeRules, type MirrorRule } from './mirrors.ts';

export interface LoadMirrorsOptions {
  /** YAML files with mirror sets (IDMS, ITMS, ICSP), as the user named them. */
  readonly files: readonly string[];
  /** The registries.conf to use instead of the machine's. */
  readonly registriesConf?: string | undefined;
  /** Environment: `HOME`, `CONTAINERS_REGISTRIES_CONF`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Root of the machine's configuration; `/etc/containers` when absent. */
  readonly systemDirectory?: string;
}

/**
 * Loads the mirrors that hold for a run: those of the machine's registries.conf, and those of files that the user
 * named, which replace the machine's rules for the same prefix.
 *
 * @throws {ResolveError} `MIRROR_INVALID`.
 */
export async function loadMirrors(options: LoadMirrorsOptions): Promise<readonly MirrorRule[]> {
  const machine = await loadRegistriesConf(options);
  const named: MirrorRule[] = [];
  for (const file of options.files) {
    const text = await readNamed(file);
    const { parseMirrorSets } = await import('./mirror-sets.ts');
    named.push(...parseMirrorSets(text, file));
  }
  const own = mergeRules(named);
  const replaced = new Set(own.map(({ prefix }) => prefix));
  return [...machine.filter(({ prefix }) => !replaced.has(prefix)), ...own];
}

async function loadRegistriesConf(options: LoadMirrorsOptions): Promise<readonly MirrorRule[]> {
  const { registriesConf, env, systemDirectory = '/etc/containers' } = options;
  const fromEnv = env['CONTAINERS_REGISTRIES_CONF'];
  const given = registriesConf ?? (fromEnv === '' ? undefined : fromEnv);
  if (given !== undefined) return parseConf(await readNamed(given), given);

  const userDirectory = join(env['HOME'] ?? homedir(), '.config', 'containers');
  const main = [join(userDirectory, 'registries.conf'), join(systemDirectory, 'registries.conf')];
  const dropIns = [
    ...(await confFilesIn(join(systemDirectory, 'registries.conf.d'))),
    ...(await confFilesIn(join(userDirectory, 'registries.conf.d'))),
  ];
  const rules = new Map<string, MirrorRule>();
  const add = async (file: string): Promise<boolean> => {
    const text = await readIfThere(file);
    if (text === undefined) return false;
    // The last word on a prefix counts.
    for (const rule of await parseConf(text, file)) rules.set(rule.prefix, rule);
    return true;
  };
  for (const file of main) if (await add(file)) break;
  for (const file of dropIns) await add(file);
  return [...rules.values()];
}

async function parseConf(text: string, file: string): Promise<readonly MirrorRule[]> {
  // Most machines have only short names here: then nothing has to be loaded to find that out.
  if (!/^\s*(?:\[+\s*)?["']?registry\b/m.test(text)) return [];
  const { parseRegistriesConf } = await import('./registries-conf.ts');
  return parseRegistriesConf(text, file);
}

async function confFilesIn(directory: string): Promise<readonly string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = fileErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw error;
  }
}

async function readNamed(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ResolveError(
      'MIRROR_INVALID',
      `Cannot read the mirrors of ${file}: ${fileErrorCode(error) ?? 'it is unreadable'}`,
      { cause: error },
    );
  }
}
