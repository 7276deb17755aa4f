/** What a kernel was built with: options that are set, with `y`, `m` or their value. */
export type BuildConfig = ReadonlyMap<string, string>;

/** The options of a kernel's `config`, by name with `CONFIG_`. Lines that set nothing are passed over. */
export function parseBuildConfig(text: string): BuildConfig {
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (!line.startsWith('CONFIG_') || equals < 0) continue;
    options.set(line.slice(0, equals), line.slice(equals + 1).replace(/^"(.*)"$/, '$1'));
  }
  return options;
}
