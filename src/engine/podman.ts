import { CompileError } from '../errors.ts';
import { field, parseEngineJson, type Storage, type StorageProgram } from './storage-program.ts';

/** @see podman(1) */
export const PODMAN: StorageProgram = {
  name: 'podman',
  oldest: [4, 2],
  package: 'podman',
  infoCommands: [['info', '--format', 'json']],
  parseInfo: ([text]) => parsePodmanInfo(text),
  inspectCommand: (image) => ['image', 'inspect', '--format', '{{.Id}} {{.Digest}}', '--', image],
  scratchArguments: (directory) => ['--tmpdir', directory],
  listCommand: ['ps', '--all', '--quiet', '--external', '--no-trunc'],
  removeCommand: ['rm', '--force', '--'],
};

/**
 * Reads what `podman info --format json` prints.
 *
 * @throws {CompileError} `ENGINE_FAILED` when it is something else, or of a podman on another machine.
 */
export function parsePodmanInfo(text: string | undefined): {
  readonly version: string;
  readonly storage: Storage;
} {
  const info = parseEngineJson('podman info', text);
  const store = field(info, 'store');
  const root = field(store, 'graphRoot');
  const driver = field(store, 'graphDriverName');
  const version = field(field(info, 'version'), 'Version');
  if (typeof root !== 'string' || typeof driver !== 'string' || typeof version !== 'string') {
    throw new CompileError(
      'ENGINE_FAILED',
      'Cannot read what "podman info" prints: no storage and version in it',
    );
  }
  if (field(field(info, 'host'), 'serviceIsRemote') === true) {
    throw new CompileError('ENGINE_FAILED', 'Cannot use podman: it works on another machine', {
      hint: 'Run this where podman itself runs, or name the socket of its API: --engine unix:///run/podman/podman.sock.',
    });
  }
  const isRootless = field(field(field(info, 'host'), 'security'), 'rootless') === true;
  const program = field(field(field(info, 'host'), 'ociRuntime'), 'path');
  const runtime = typeof program === 'string' ? program : 'crun';
  return {
    version,
    storage: { driver, root, options: storageOptions(field(store, 'graphOptions')), isRootless, runtime },
  };
}

function storageOptions(options: unknown): readonly string[] {
  if (typeof options !== 'object' || options === null) return [];
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'string') return [`${name}=${value}`];
    const program = field(value, 'Executable');
    return typeof program === 'string' ? [`${name}=${program}`] : [];
  });
}
