// Several processes on one port, one for each core: this one only starts them, starts anew what ends unbidden, and
// passes the signal to leave on.
import cluster, { type Worker } from 'node:cluster';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../shared/runtime/clock.ts';
import { collectFromWorkers } from '../metrics/cluster-metrics.ts';

export interface WorkerPlace {
  readonly index: number;
  readonly count: number;
  /** Where the sockets of all workers are. */
  readonly directory: string;
}

export interface PrimaryOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a worker's drain takes at most, in ms; one that has not ended a second later hangs and is killed. */
  readonly drainMs: number;
}

/** A worker that ends at once, again and again, is not worth a core. */
const RESTART_AFTER_MS = 1_000;
/** From the end of its drain to that of a worker: clients closed, process ended, on a machine that is busy. */
const END_WITHIN_MS = 1_000;
const PLACE = 'EARSHOT_WORKER_PLACE';

/** Where this process stands among the workers; undefined when it is the only one, or the primary. */
export function readWorkerPlace(env: Readonly<Record<string, string | undefined>>): WorkerPlace | undefined {
  const place = env[PLACE];
  return place === undefined ? undefined : (JSON.parse(place) as WorkerPlace);
}

/**
 * Starts `count` workers: the first alone, so that what keeps it from starting is said once, then the others. Resolves
 * when all have ended: after SIGTERM or SIGINT with 0, or with 1 if one hung, else with the exit code of the first that
 * cannot start.
 */
export function runWorkers(count: number, { clock, logger, drainMs }: PrimaryOptions): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-origin-'));
  const running = new Map<number, Worker>();
  /** Those that have listened once: what has ended since then was no fault of the configuration. */
  const proven = new Set<number>();
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  let isLeaving = false;
  let exitCode = 0;
  collectFromWorkers({ cluster, clock });

  function start(index: number): void {
    const place: WorkerPlace = { index, count, directory };
    const worker = cluster.fork({ [PLACE]: JSON.stringify(place) });
    running.set(index, worker);
    worker.once('listening', () => {
      if (proven.size === 0 && !isLeaving) for (let other = 1; other < count; other++) start(other);
      proven.add(index);
    });
    worker.once('exit', (code, signal) => {
      running.delete(index);
      if (!isLeaving && proven.has(index)) {
        logger.error({ worker: index, code, signal }, 'a worker ended; it is started anew');
        clock.setTimeout(() => {
          if (!isLeaving) start(index);
        }, RESTART_AFTER_MS);
      } else if (!isLeaving) {
        exitCode = code || 1;
        leave();
      } else endWhenAlone();
    });
  }

  function leave(): void {
    if (!isLeaving) clock.setTimeout(killHanging, drainMs + END_WITHIN_MS);
    isLeaving = true;
    for (const worker of running.values()) worker.process.kill('SIGTERM');
    // It may be that all have just ended, and none was started anew yet.
    endWhenAlone();
  }

  /**
   * Its event loop stands still, so it knows of no signal; it would be left behind when this process is killed for
   * being late.
   */
  function killHanging(): void {
    for (const [index, worker] of running) {
      logger.error({ worker: index }, 'a worker hangs and did not end; it is killed');
      exitCode ||= 1;
      worker.process.kill('SIGKILL');
    }
  }

  function endWhenAlone(): void {
    if (running.size > 0) return;
    rmSync(directory, { recursive: true, force: true });
    resolve(exitCode);
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, leave);
  start(0);
  return ended;
}
