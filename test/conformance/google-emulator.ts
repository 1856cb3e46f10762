// Google's emulator and its `cbt` client for tests: a running one, else an installed one, else a test that reports the
// skip.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { test } from 'vitest';
import { findGoogleEmulator, startGoogleEmulator } from '../../bench/rigs/google-emulator.ts';
import type { StartedBigtable } from '../contracts/bigtable/suite.ts';

export type Emulator = { kind: 'running'; endpoint: string } | { kind: 'binary'; path: string };

/** BIGTABLE_EMULATOR_HOST names a running emulator; else the binary of an installed gcloud is used. */
export async function findEmulator(): Promise<Emulator | undefined> {
  const endpoint = process.env.BIGTABLE_EMULATOR_HOST;
  if (endpoint !== undefined && endpoint !== '') return { kind: 'running', endpoint };
  const path = await findGoogleEmulator();
  return path === undefined ? undefined : { kind: 'binary', path };
}

export async function findCbt(): Promise<string | undefined> {
  try {
    return (await promisify(execFile)('sh', ['-c', 'command -v cbt'])).stdout.trim();
  } catch {
    return undefined;
  }
}

export const startEmulator = (emulator: Emulator): Promise<StartedBigtable> =>
  emulator.kind === 'running'
    ? Promise.resolve({ endpoint: emulator.endpoint, stop: async () => {} })
    : startGoogleEmulator(emulator.path);

/** Defines the tests if the tool is available. Otherwise one skipped test reports that; a required tool fails it. */
export function orSkip<T>(tool: string, found: T | undefined, define: (found: T) => void): void {
  if (found !== undefined) {
    define(found);
    return;
  }
  const message = `${tool} is not on this machine`;
  if (process.env.EARSHOT_REQUIRE_EMULATOR === '1') {
    test(`${tool} is there, as EARSHOT_REQUIRE_EMULATOR=1 demands`, () => {
      throw new Error(message);
    });
    return;
  }
  console.warn(`SKIPPED: ${message}; conformance with it was not checked`);
  test.skip(`${message}, so conformance with it was not checked`, () => {});
}
