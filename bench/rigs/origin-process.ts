// A deployed origin in processes of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SignJWT } from 'jose';
import { answersOk, waitUntil } from '../../dev/processes/wait.ts';
import { NODE_ARGS } from '../../origin/node-args.ts';
import { ORIGIN_AUDIENCE } from '../../shared/domain/identity.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import { LISTS_READ_PATH } from '../../shared/wire/read-request.ts';
import { makeHttpRequest } from '../load/load.ts';
import type { Cleanup } from '../support/cleanup.ts';

export const BENCH_SECRET = 'origin-secret-for-benches-only-0123456789';

export interface OriginProcess {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  /** Kills the process if it still runs. */
  stop(): Promise<void>;
}

/** Starts `origin/start.mjs` with `env` over the benchmarks' defaults, and waits until it is ready. */
export async function startOriginProcess(
  cleanup: Cleanup,
  env: Readonly<Record<string, string>>,
): Promise<OriginProcess> {
  const child = spawn(process.execPath, [...NODE_ARGS, join(import.meta.dirname, '../../origin/start.mjs')], {
    env: {
      ...process.env,
      EARSHOT_REGION: 'europe',
      EARSHOT_ORIGIN_SECRET: BENCH_SECRET,
      EARSHOT_DRAIN_DELAY_MS: '0',
      EARSHOT_DRAIN_TIMEOUT_MS: '1000',
      LOG_LEVEL: 'info',
      HOST: '127.0.0.1',
      PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  cleanup.add(stop);
  const port = await Promise.race([
    portOf(createInterface(child.stdout)),
    exited.then(() => Promise.reject(new Error('the origin ended at its start'))),
  ]);
  const url = `http://127.0.0.1:${port}`;
  await waitUntil('the origin to be ready', () => answersOk(`${url}/readyz`), systemClock);
  return { port, pid: child.pid ?? 0, url, stop };
}

/** The first line with the address. Later output is discarded. */
function portOf(lines: NodeJS.EventEmitter): Promise<number> {
  return new Promise((resolve) => {
    lines.on('line', (line: string) => {
      const port = /"url":"http:\/\/[^"]*:(\d+)"/.exec(line)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

const HOUR_SECONDS = 3600;

/** A token of the edge for the origin. */
export const mintBenchToken = (): Promise<string> =>
  new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience(ORIGIN_AUDIENCE)
    .setExpirationTime(Math.floor(systemClock.now() / 1000) + HOUR_SECONDS)
    .sign(Buffer.from(BENCH_SECRET));

/** A complete `lists:read` request in the edge's form. */
export const makeListsRead = (token: string, keys: readonly ListQuery[]): string =>
  makeHttpRequest(
    LISTS_READ_PATH,
    { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'earshot-deadline-ms': '2000' },
    JSON.stringify({ keys }),
  );
