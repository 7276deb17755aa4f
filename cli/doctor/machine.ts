import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { findEngine, KNOWN_ENGINES, readEngineOptions } from '../../src/engine/find-engine.ts';
import type { EngineOptions } from '../../src/engine/engine.ts';
import { findFirmware } from '../../src/engine/firmware.ts';
import { runProcess } from '../../src/engine/process.ts';
import { findQemuProgram } from '../../src/engine/qemu.ts';
import { cacheDirectory, temporaryRoot } from '../io/directories.ts';
import { reasonOf } from '../io/read-input.ts';
import { formatSize } from '../report/sizes.ts';
import { failed, type CheckOptions, type CheckResult } from './check.ts';

/** Less free space than this is worth a word: a driver-toolkit has about 2 GB when it is unpacked. */
const LITTLE_SPACE_BYTES = 5e9;

/** Programs, disks and devices. */
export async function checkMachine({ context }: CheckOptions): Promise<readonly CheckResult[]> {
  const { env, signal } = context;
  return [
    { name: 'node', status: 'ok', detail: process.version },
    ...(await checkEngines(env, signal)),
    await checkProgram('git', 'Only drivers with a git source need it.', signal),
    await checkSpace('cache', cacheDirectory(env)),
    await checkSpace('temporary files', temporaryRoot(env)),
    await checkEmulator(context),
    await checkFirmware(env),
    await checkKvm(),
  ];
}

/** The engine that was chosen, or each that could be: one is enough. */
async function checkEngines(
  env: CheckOptions['context']['env'],
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  const { program, ...options } = readEngineOptions(env);
  if (program !== undefined) return [await checkEngine('container engine', { ...options, program }, signal)];
  const checks: CheckResult[] = [];
  for (const name of KNOWN_ENGINES) {
    checks.push(await checkEngine(`container engine ${name}`, { ...options, program: name }, signal));
  }
  return checks;
}

async function checkEngine(name: string, options: EngineOptions, signal: AbortSignal): Promise<CheckResult> {
  try {
    const engine = await findEngine(options, signal);
    return { name, status: 'ok', detail: `${engine.name} ${engine.version}` };
  } catch (error) {
    const { detail } = failed(name, error);
    const hint =
      'Only compiling needs an engine, and one is enough: install podman, or name one with KMODLAYER_ENGINE.';
    return { name, status: 'warning', detail, hint };
  }
}

async function checkProgram(program: string, hint: string, signal: AbortSignal): Promise<CheckResult> {
  const { exitCode, output } = await runProcess({ program, args: ['--version'], signal });
  if (exitCode !== 0) return { name: program, status: 'warning', detail: 'not found', hint };
  return { name: program, status: 'ok', detail: output.trim().replace(/^git version /, '') };
}

/** Free space where a directory is, or will be made. */
async function checkSpace(what: string, directory: string): Promise<CheckResult> {
  const name = `space for ${what}`;
  for (let at = directory; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      const detail = `${formatSize(bavail * bsize)} free in ${directory}`;
      if (bavail * bsize >= LITTLE_SPACE_BYTES) return { name, status: 'ok', detail };
      return { name, status: 'warning', detail, hint: 'Compiling may need several gigabytes.' };
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing || at === dirname(at)) return { name, status: 'warning', detail: reasonOf(error) };
    }
  }
}

async function checkEmulator({ env, signal }: CheckOptions['context']): Promise<CheckResult> {
  const name = 'emulator';
  try {
    const { version } = await findQemuProgram('x86_64', { env, signal });
    return { name, status: 'ok', detail: version };
  } catch (error) {
    return { ...failed(name, error), status: 'warning' };
  }
}

async function checkFirmware(env: CheckOptions['context']['env']): Promise<CheckResult> {
  const name = 'firmware';
  try {
    return { name, status: 'ok', detail: (await findFirmware(env)).code };
  } catch (error) {
    return { ...failed(name, error), status: 'warning' };
  }
}

async function checkKvm(): Promise<CheckResult> {
  const name = 'KVM';
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
    return { name, status: 'ok', detail: '/dev/kvm can be opened' };
  } catch (error) {
    return {
      name,
      status: 'warning',
      detail: `/dev/kvm cannot be opened: ${reasonOf(error)}`,
      hint: 'Only "verify --boot" uses it; without it a boot takes several seconds longer.',
    };
  }
}
