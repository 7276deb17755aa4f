import { defineConfig } from 'vitest/config';

// Parsers of foreign bytes against damaged copies of real inputs. `FUZZ_RUNS` sets the cases for each parser.
export default defineConfig({
  test: {
    include: ['test/fuzz/*.fuzz.ts'],
    setupFiles: ['test/support/no-network.ts'],
    testTimeout: Number(process.env['FUZZ_RUNS'] ?? 10_000) * 100,
  },
});
