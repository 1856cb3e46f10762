// The conformance run: the Bigtable contract on Google's own emulator. `npm run conformance`; EARSHOT_REQUIRE_EMULATOR=1 makes a
// missing emulator a failure instead of a skip.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { name: 'conformance', include: ['test/conformance/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 60_000 },
});
