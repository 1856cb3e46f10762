// The test projects that `npm test` runs. The conformance run against Google's emulator has its own configuration.
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { test: { name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      { test: { name: 'scenarios', include: ['test/scenarios/**/*.test.ts'] } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each runs a whole local cloud; two at a time would only starve each other.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins: [
          cloudflareTest({
            main: './test/workerd/support/main.ts',
            wrangler: { configPath: './edge/wrangler.jsonc' },
            // The secrets of test/workerd/support/tokens.ts; everything else comes from wrangler.jsonc, as in a deployment.
            miniflare: {
              durableObjects: {
                REGION_CACHE: { className: 'RegionCache', useSQLite: true },
                HARNESS_REGION_CACHE: { className: 'HarnessRegionCache', useSQLite: true },
              },
              bindings: {
                TOKEN_SECRET: 'listener-secret-for-tests-only-0123456789',
                ORIGIN_SECRET: 'origin-secret-for-tests-only-0123456789-',
              },
            },
          }),
        ],
        // Thousands of clients at once take seconds on a busy machine, and no test is about how many.
        test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'], testTimeout: 30_000 },
      },
    ],
  },
});
