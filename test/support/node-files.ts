import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MachineConfig } from '../../src/manifests/machine-config.ts';

/** What is written to a node between two boots. */
export interface NodeFiles {
  readonly kernelArguments: readonly string[];
  /** Paths that are taken away first. */
  readonly removed: readonly string[];
  readonly writeTo: (root: string) => void;
}

/** A file that is not of a MachineConfig. */
export interface PlainFile {
  readonly path: string;
  readonly contents: string | Buffer;
  readonly mode?: number;
}

/**
 * Applies a MachineConfig as Ignition and the Machine Config Operator do: files with their modes, units, which are
 * enabled by the `[Install]` that systemctl reads in them, or masked, kernel arguments; what the one before had goes.
 */
export function nodeFiles(
  machineConfigs: readonly MachineConfig[],
  options: { readonly before?: readonly MachineConfig[]; readonly plain?: readonly PlainFile[] } = {},
): NodeFiles {
  const { before = [], plain = [] } = options;
  const filesOf = (all: readonly MachineConfig[]) =>
    all.flatMap(({ spec }) => spec.config.storage?.files ?? []);
  const unitsOf = (all: readonly MachineConfig[]) =>
    all.flatMap(({ spec }) => spec.config.systemd?.units ?? []);
  const system = '/etc/systemd/system';
  return {
    kernelArguments: machineConfigs.flatMap(({ spec }) => spec.kernelArguments ?? []),
    removed: [
      ...filesOf(before).map(({ path }) => path),
      ...unitsOf(before).flatMap(({ name }) => [
        `${system}/${name}`,
        ...['multi-user', 'default'].map((target) => `${system}/${target}.target.wants/${name}`),
      ]),
    ],
    writeTo: (root) => {
      for (const file of plain) writeInto(root, file);
      for (const { path, mode, contents } of filesOf(machineConfigs)) {
        writeInto(root, { path, mode, contents: decodeDataUrl(contents.source) });
      }
      for (const { name, contents } of unitsOf(machineConfigs)) {
        if (contents !== undefined) writeInto(root, { path: `${system}/${name}`, contents });
      }
      for (const { name, enabled, mask } of unitsOf(machineConfigs)) {
        if (enabled === true) execFileSync('systemctl', ['--quiet', `--root=${root}`, 'enable', name]);
        if (mask === true) {
          mkdirSync(join(root, system), { recursive: true });
          symlinkSync('/dev/null', join(root, system, name));
        }
      }
    },
  };
}

function writeInto(root: string, { path, contents, mode = 0o644 }: PlainFile): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, contents);
  chmodSync(file, mode);
}

function decodeDataUrl(source: string): Buffer {
  const match = /^data:[^,]*;base64,(.*)$/.exec(source);
  if (match === null) throw new Error(`This is no data URL in base64: ${source.slice(0, 80)}`);
  return Buffer.from(match[1] ?? '', 'base64');
}
