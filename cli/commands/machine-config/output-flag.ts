import { type Command, Option } from 'commander';

/** Flags that every kind of manifest has. */
export interface ManifestFlags {
  readonly output: 'yaml' | 'json';
}

/** `-o`, with `yaml` as default: manifests are for `oc apply`. */
export function addManifestOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print it').choices(['yaml', 'json']).default('yaml'),
  );
}
