#!/usr/bin/env node
// The entry of the `earshot` command.
import { runEarshot } from './program.ts';

process.exitCode = await runEarshot(process.argv.slice(2));
