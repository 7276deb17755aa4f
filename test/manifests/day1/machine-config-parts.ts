import type { MachineConfig } from '../../../src/manifests/machine-config.ts';

/** The texts of a MachineConfig, as a node has them. */
export function machineConfigParts({ spec: { config } }: MachineConfig): {
  /** Contents of a file. */
  readonly file: (path: string) => string;
  /** Text of a unit. */
  readonly unit: (name: string) => string;
  /** The variables that a unit sets, with the quotes of systemd.syntax(7) taken away. */
  readonly environment: (name: string) => Readonly<Record<string, string>>;
} {
  const unit = (name: string): string => {
    const contents = config.systemd?.units.find((one) => one.name === name)?.contents;
    if (contents === undefined) throw new Error(`There is no unit ${name}`);
    return contents;
  };
  return {
    unit,
    file(path) {
      const source = config.storage?.files.find((one) => one.path === path)?.contents.source;
      if (source === undefined) throw new Error(`There is no file ${path}`);
      return Buffer.from(source.slice(source.indexOf(',') + 1), 'base64').toString();
    },
    environment(name) {
      const lines = [...unit(name).matchAll(/^Environment="((?:[^"\\]|\\["\\])*)"$/gm)];
      return Object.fromEntries(
        lines.map(([, quoted = '']) => {
          const text = quoted.replaceAll(/\\(["\\])/g, '$1').replaceAll('%%', '%');
          const at = text.indexOf('=');
          return [text.slice(0, at), text.slice(at + 1)];
        }),
      );
    },
  };
}
