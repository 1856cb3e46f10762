// Where Google's emulator and its `cbt` client are on this machine, if they are, and how the emulator is started.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { test } from 'vitest';
import { findFreePorts } from '../../dev/ports.ts';
import type { StartedBigtable } from '../contracts/bigtable/suite.ts';

const run = promisify(execFile);

export type Emulator = { kind: 'running'; endpoint: string } | { kind: 'binary'; path: string };

/** BIGTABLE_EMULATOR_HOST names a running one; else the binary of an installed gcloud. */
export async function findEmulator(): Promise<Emulator | undefined> {
  const endpoint = process.env.BIGTABLE_EMULATOR_HOST;
  if (endpoint !== undefined && endpoint !== '') return { kind: 'running', endpoint };
  const root = await outputOf('gcloud', ['info', '--format=value(installation.sdk_root)']);
  const path = `${root}/platform/bigtable-emulator/cbtemulator`;
  return root !== undefined && existsSync(path) ? { kind: 'binary', path } : undefined;
}

export async function findCbt(): Promise<string | undefined> {
  return outputOf('sh', ['-c', 'command -v cbt']);
}

export async function startEmulator(emulator: Emulator): Promise<StartedBigtable> {
  if (emulator.kind === 'running') return { endpoint: emulator.endpoint, stop: async () => {} };
  const [port] = await findFreePorts(1);
  const child = spawn(emulator.path, ['-host', '127.0.0.1', '-port', String(port)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  const listening = once(createInterface(child.stdout), 'line');
  await Promise.race([listening, exited.then(() => Promise.reject(new Error(`${emulator.path} ended at its start`)))]);
  return {
    endpoint: `127.0.0.1:${port}`,
    stop: async () => {
      child.kill();
      await exited;
    },
  };
}

/** Defines the tests when the tool is there. Without it: one skipped test that says so, or a failed one if it is required. */
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

/** A program's output, or undefined when it is missing, fails or says nothing. */
async function outputOf(command: string, args: string[]): Promise<string | undefined> {
  try {
    const text = (await run(command, args)).stdout.trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}
