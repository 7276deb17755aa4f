import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

interface Package {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

/** Tests import this package by its name, as its users do, and get the files that `dist` is made of. */
function ownEntries(): { readonly find: RegExp; readonly replacement: string }[] {
  const { name, exports } = JSON.parse(readFileSync('package.json', 'utf8')) as Package;
  return Object.entries(exports).flatMap(([entry, target]) => {
    if (typeof target === 'string') return [];
    const file = target.default.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts');
    return [{ find: new RegExp(`^${name}${entry.slice(1)}$`), replacement: resolve(file) }];
  });
}

// Unit tests: no root, no network, no packages. The world's suites have a configuration of their own.
export default defineConfig({
  resolve: { alias: ownEntries() },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'test/world/**', 'node_modules/**'],
    setupFiles: ['test/support/no-network.ts'],
    // No test changes what others see, so that files share their modules: half the time.
    isolate: false,
    testTimeout: 30_000,
    coverage: { provider: 'v8', include: ['src/**', 'cli/**'] },
  },
});
