#!/usr/bin/env -S node --max-semi-space-size=4
// The entry of the `earshot` command. The small young generation bounds the memory of a load, which makes much
// short-lived garbage.
import module from 'node:module';
import { join } from 'node:path';
import '../origin/require-node.mjs';

// Compiling takes most of the start-up. Where the directory cannot be written, nothing is kept.
module.enableCompileCache(
  process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, '../node_modules/.cache/earshot'),
);

// A reader may close the pipe early: `earshot manifest show | head -1`.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const args = process.argv.slice(2);
// Here and not in the command: another program that runs a load in its own process keeps its priority.
if (args.includes('ingest')) (await import('./ingest/lower-priority.ts')).giveWay();

const { runEarshot } = await import('./program.ts');
process.exitCode = await runEarshot(args);
