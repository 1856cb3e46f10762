// A deployed origin in processes of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { answersOk, waitUntil } from '../../dev/processes/wait.ts';
import { NODE_ARGS } from '../../origin/node-args.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { MAX_ORIGIN_TOKEN_SECONDS, mintOriginToken } from '../../shared/wire/origin-token.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import { LISTS_READ_PATH } from '../../shared/wire/read-request.ts';
import { makeHttpRequest } from '../load/load.ts';
import type { Cleanup } from '../support/cleanup.ts';

export const BENCH_SECRET = 'origin-secret-for-benches-only-0123456789';

export interface OriginProcess {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  readonly metricsUrl: string;
  /** Ends the process if it still runs. */
  stop(): Promise<void>;
  /** Kills the process at once. */
  kill(): Promise<void>;
}

const repository = join(import.meta.dirname, '../..');

/**
 * Starts `origin/start.mjs` with `env` over the benchmarks' defaults, and waits until it is ready. `checkout`: another
 * build than this one.
 */
export async function startOriginProcess(
  cleanup: Cleanup,
  env: Readonly<Record<string, string>>,
  checkout = repository,
): Promise<OriginProcess> {
  const child = spawn(process.execPath, [...NODE_ARGS, join(checkout, 'origin/start.mjs')], {
    env: {
      ...process.env,
      EARSHOT_REGION: 'europe',
      EARSHOT_ORIGIN_SECRET: BENCH_SECRET,
      EARSHOT_DRAIN_DELAY_MS: '0',
      EARSHOT_DRAIN_TIMEOUT_MS: '1000',
      LOG_LEVEL: 'info',
      HOST: '127.0.0.1',
      PORT: '0',
      EARSHOT_METRICS_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  cleanup.add(stop);
  const { url, metricsUrl } = await Promise.race([
    urlsOf(createInterface(child.stdout)),
    exited.then(() => Promise.reject(new Error('the origin ended at its start'))),
  ]);
  await waitUntil('the origin to be ready', () => answersOk(`${url}/readyz`), systemClock);
  return { port: Number(new URL(url).port), pid: child.pid ?? 0, url, metricsUrl, stop, kill };
}

/** From the line with the addresses. Later output is discarded. */
function urlsOf(lines: NodeJS.EventEmitter): Promise<{ readonly url: string; readonly metricsUrl: string }> {
  return new Promise((resolve) => {
    lines.on('line', (line: string) => {
      const [, url, metricsUrl] = /"url":"(http:[^"]*)","metricsUrl":"(http:[^"]*)"/.exec(line) ?? [];
      if (url !== undefined && metricsUrl !== undefined) resolve({ url, metricsUrl });
    });
  });
}

/** A token of the edge for the origin of `region`, for as long as an origin allows: 10 minutes. */
export function mintBenchToken(region = 'europe'): Promise<string> {
  const lifetimeSeconds = MAX_ORIGIN_TOKEN_SECONDS;
  return mintOriginToken(BENCH_SECRET, { subject: 'edge', region, nowMs: systemClock.now(), lifetimeSeconds });
}

/** A complete `lists:read` request in the edge's form. */
export const makeListsRead = (
  token: string,
  keys: readonly ListQuery[],
  headers: Readonly<Record<string, string>> = {},
): string =>
  makeHttpRequest(
    LISTS_READ_PATH,
    { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'earshot-deadline-ms': '2000', ...headers },
    JSON.stringify({ keys }),
  );
