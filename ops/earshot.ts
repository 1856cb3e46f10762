#!/usr/bin/env -S node --max-semi-space-size=4
// The entry of the `earshot` command. The small young generation bounds the memory of a load, which makes much
// short-lived garbage.
import { runEarshot } from './program.ts';

// A reader may close the pipe early: `earshot manifest show | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runEarshot(process.argv.slice(2));
