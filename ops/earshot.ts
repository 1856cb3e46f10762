#!/usr/bin/env -S node --max-semi-space-size=4
// The entry of the `earshot` command. A load makes much short-lived garbage, which V8's own choice of a young
// generation would let grow by some hundred MB for no gain in time; `npm run bench -- ingest` prints the peak.
import { runEarshot } from './program.ts';

// Who reads only the beginning of the output has what it wanted: `earshot manifest show | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runEarshot(process.argv.slice(2));
