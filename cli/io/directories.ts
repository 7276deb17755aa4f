import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** Where what was learnt from immutable bytes is kept: `${XDG_CACHE_HOME:-~/.cache}/kmodlayer`. */
export function cacheDirectory(env: Env): string {
  return join(baseDirectory(env, 'XDG_CACHE_HOME', '.cache'), 'kmodlayer');
}

/** Where logs of failed compiles are kept: `${XDG_STATE_HOME:-~/.local/state}/kmodlayer/logs`. */
export function logDirectory(env: Env): string {
  return join(baseDirectory(env, 'XDG_STATE_HOME', join('.local', 'state')), 'kmodlayer', 'logs');
}

/** Where temporary directories are made. */
export function temporaryRoot(env: Env): string {
  return env['TMPDIR'] ?? tmpdir();
}

/** The XDG specification says that a relative path is to be ignored. */
function baseDirectory(env: Env, variable: string, below: string): string {
  const named = env[variable] ?? '';
  return isAbsolute(named) ? named : join(env['HOME'] ?? homedir(), below);
}
