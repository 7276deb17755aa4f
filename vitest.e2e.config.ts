import { defineConfig } from 'vitest/config';

// Suites that are judged by tools that are not ours. They need root and what `npm run world` sets up.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.test.ts'],
    globalSetup: ['test/support/world-check.ts', 'test/support/build-once.ts'],
    // Runs everywhere where the suites are root, also where containers cannot have cgroups or networks of their own.
    env: { KMODLAYER_BUILD_ARGS: process.env['KMODLAYER_BUILD_ARGS'] ?? '--isolation chroot --network host' },
    testTimeout: 600_000,
    hookTimeout: 900_000,
    // One registry, one podman store and two cores: side by side they would only wait for each other.
    fileParallelism: false,
    maxConcurrency: 1,
  },
});
