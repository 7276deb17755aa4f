import { type KernelModule, listModinfo } from '../kmod/module.ts';

/** Modules that a module asks to be loaded before and after itself. */
export function hintsOf(module: KernelModule): readonly string[] {
  return [...listModinfo(module, 'softdep'), ...listModinfo(module, 'weakdep')]
    .flatMap((line) => line.split(/\s+/))
    .filter((word) => word !== '' && !word.endsWith(':'))
    .map((name) => name.replaceAll('-', '_'));
}

/** What each module of `modules.dep` needs, all of it. */
export function linesOf(dependencies: Uint8Array | undefined): ReadonlyMap<string, readonly string[]> {
  const text = Buffer.from(dependencies ?? []).toString('latin1');
  return new Map(
    text.split('\n').flatMap((line): [string, readonly string[]][] => {
      const colon = line.indexOf(':');
      return colon < 0
        ? []
        : [
            [
              line.slice(0, colon),
              line
                .slice(colon + 1)
                .split(' ')
                .filter(Boolean),
            ],
          ];
    }),
  );
}
