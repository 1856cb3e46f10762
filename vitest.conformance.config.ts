// The conformance run: the Bigtable contract on Google's own emulator. `npm run conformance`;
// EARSHOT_REQUIRE_EMULATOR=1 makes a missing emulator a failure instead of a skip.
import { defineConfig } from 'vitest/config';
import { patience } from './test/support/patience.ts';

export default defineConfig({
  test: { ...patience, name: 'conformance', include: ['test/conformance/**/*.test.ts'] },
});
