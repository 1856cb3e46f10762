// The test projects that `npm test` runs. The conformance run against Google's emulator has its own configuration.
import { availableParallelism } from 'node:os';
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { unstable_readConfig as readWranglerConfig } from 'wrangler';
import { drillRounds } from './test/support/drill-rounds.ts';
import { mutate } from './test/support/mutations.ts';
import { patience } from './test/support/patience.ts';

const { EARSHOT_MUTATION: mutation } = process.env;
/** They measure memory, or demand that no region is ejected. */
const DRILLS_ALONE = ['fuzzed-requests', 'client-aborts', 'slow-bodies', 'rolling-restarts', 'regions'].map(
  (name) => `test/drills/${name}.test.ts`,
);
/** They need the history of the repository, or take minutes in any number of rounds. `npm run drill` runs them. */
const DRILLS_BY_HAND = ['upgrade', 'regions'].map((name) => `test/drills/${name}.test.ts`);
const isDrill = process.env.DRILL_ROUNDS !== undefined;
const worker = readWranglerConfig({ config: './wrangler.toml' });

export default defineConfig({
  test: {
    globalSetup: './test/support/shared-bundle/run-directory.ts',
    // A cached module knows nothing of the mutation that it was transformed with.
    fsModuleCache: mutation === undefined,
    // The default leaves one core free, which is half of two.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      // Unit tests leave nothing behind, so the modules are loaded once for all files of a worker.
      { test: { ...patience, name: 'unit', isolate: false, include: ['test/unit/**/*.test.ts'] } },
      { test: { ...patience, name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      { test: { ...patience, name: 'scenarios', include: ['test/scenarios/**/*.test.ts'] } },
      {
        test: {
          ...patience,
          name: 'commands',
          include: ['test/commands/**/*.test.ts'],
          // A load runs at the lowest priority: beside the tests before it would not get on.
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...patience,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Each file runs a whole local cloud, on free ports.
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...patience,
          name: 'drills',
          include: ['test/drills/**/*.test.ts'],
          exclude: [...DRILLS_ALONE, ...(isDrill ? [] : DRILLS_BY_HAND)],
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...patience,
          name: 'drills alone',
          include: DRILLS_ALONE,
          exclude: isDrill ? [] : DRILLS_BY_HAND,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      makeWorkerdProject('workerd'),
      makeWorkerdProject('simulation'),
    ],
  },
});

/** Tests of `test/{name}` in real workerd. */
function makeWorkerdProject(name: string) {
  return {
    plugins: [
      ...(mutation === undefined ? [] : [mutate(mutation, import.meta.dirname)]),
      cloudflareTest({
        main: './test/workerd/support/main.ts',
        // The plugin's own reading of wrangler.toml adds .dev.vars: tests would depend on `npm start`.
        miniflare: {
          compatibilityDate: worker.compatibility_date ?? '',
          durableObjects: {
            REGION_CACHE: { className: 'RegionCache', useSQLite: true },
            HARNESS_REGION_CACHE: { className: 'HarnessRegionCache', useSQLite: true },
          },
          ratelimits: { RATE_LIMITER: { namespace_id: '1001', simple: { limit: 50, period: 10 } } },
          // The variables come from wrangler.toml, the secrets from test/workerd/support/tokens.ts.
          bindings: {
            ...worker.vars,
            // A deployment refuses the secrets of tests.
            ENVIRONMENT: 'local',
            DRILL_ROUNDS: String(drillRounds),
            TOKEN_SECRET: 'listener-secret-for-tests-only-0123456789',
            PUBLIC_HOSTS: 'earshot.test',
            ORIGIN_SECRET: 'origin-secret-for-tests-only-0123456789-',
          },
        },
      }),
    ],
    // Each test makes an edge of its own, so the files of a worker share one runtime.
    test: { ...patience, name, isolate: false, include: [`test/${name}/**/*.test.ts`] },
  };
}
