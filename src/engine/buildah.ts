import { CompileError } from '../errors.ts';
import { field, parseEngineJson, type Storage, type StorageProgram } from './storage-program.ts';

/** @see buildah(1) */
export const BUILDAH: StorageProgram = {
  name: 'buildah',
  oldest: [1, 27],
  package: 'buildah',
  infoCommands: [['info'], ['version', '--json']],
  parseInfo: ([info, version]) => parseBuildahInfo(info, version),
  inspectCommand: (image) => [
    ...['inspect', '--type', 'image', '--format', '{{.FromImageID}} {{.FromImageDigest}}', '--'],
    image,
  ],
  scratchArguments: () => [],
  listCommand: ['containers', '--quiet', '--notruncate'],
  removeCommand: ['rm', '--'],
};

/**
 * Reads what `buildah info` and `buildah version --json` print.
 *
 * @throws {CompileError} `ENGINE_FAILED` when it is something else.
 */
export function parseBuildahInfo(
  infoText: string | undefined,
  versionText: string | undefined,
): { readonly version: string; readonly storage: Storage } {
  const info = parseEngineJson('buildah info', infoText);
  const version = field(parseEngineJson('buildah version', versionText), 'version');
  const store = field(info, 'store');
  const root = field(store, 'GraphRoot');
  const driver = field(store, 'GraphDriverName');
  if (typeof root !== 'string' || typeof driver !== 'string' || typeof version !== 'string') {
    throw new CompileError(
      'ENGINE_FAILED',
      'Cannot read what "buildah info" prints: no storage and version in it',
    );
  }
  const options = field(store, 'GraphOptions');
  const runtime = field(field(info, 'host'), 'OCIRuntime');
  return {
    version,
    storage: {
      driver,
      root,
      options: Array.isArray(options) ? options.filter((option) => typeof option === 'string') : [],
      isRootless: field(field(info, 'host'), 'rootless') === true,
      runtime: typeof runtime === 'string' ? runtime : 'crun',
    },
  };
}
