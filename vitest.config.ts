import { defineConfig } from 'vitest/config';

// Unit tests: no root, no network, no packages. The world's suites have a configuration of their own.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'test/world/**', 'node_modules/**'],
    setupFiles: ['test/support/no-network.ts'],
    testTimeout: 30_000,
    coverage: { provider: 'v8', include: ['src/**', 'cli/**'] },
  },
});
