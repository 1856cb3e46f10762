// Start-up time of the worker and of a bare one: from before workerd starts until its first answer. The part common to
// both is workerd's own.
import type { Ask } from '../load/http-load.ts';
import { expectOk } from '../rigs/edge-asks.ts';
import type { EdgeRig, Served } from '../rigs/edge-rig.ts';
import { cpuTimeMs } from '../support/cpu-time.ts';
import { median } from '../support/statistics.ts';

export const PAIRS = 7;

export interface StartUps {
  /** Milliseconds until the first answer without an origin request. */
  readonly edgeMs: number;
  readonly bareMs: number;
  /** Milliseconds until the first list from the origin. */
  readonly listMs: number;
  /**
   * Milliseconds of CPU until the first answer, beyond those of the bare worker: reading, compiling and running the
   * script.
   */
  readonly cpuBeyondBareMs: number;
}

interface Start {
  readonly firstMs: number;
  readonly cpuMs: number;
  /** Milliseconds until the last answer. */
  readonly allMs: number;
}

export async function measureStartUps({ startEdge, startBare, asks }: EdgeRig): Promise<StartUps> {
  const [list] = asks;
  if (list === undefined) throw new Error('expected a list to ask for, got none');
  const pairs: { edge: Start; bare: Start }[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const edge = await measureStart(startEdge, [{ path: '/healthz' }, list]);
    const bare = await measureStart(startBare, [list]);
    pairs.push({ edge, bare });
  }
  return {
    edgeMs: median(pairs.map(({ edge }) => edge.firstMs)),
    bareMs: median(pairs.map(({ bare }) => bare.firstMs)),
    listMs: median(pairs.map(({ edge }) => edge.allMs)),
    cpuBeyondBareMs: median(pairs.map(({ edge, bare }) => edge.cpuMs - bare.cpuMs)),
  };
}

async function measureStart(start: () => Promise<Served>, [first, ...rest]: [Ask, ...Ask[]]): Promise<Start> {
  const startedAtMs = performance.now();
  const { load, pid, stop } = await start();
  expectOk(await load.ask(first));
  const firstMs = performance.now() - startedAtMs;
  const cpuMs = cpuTimeMs(pid);
  for (const ask of rest) expectOk(await load.ask(ask));
  const allMs = performance.now() - startedAtMs;
  await stop();
  return { firstMs, cpuMs, allMs };
}
