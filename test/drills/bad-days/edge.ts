// A worker of a drill, as callers and operators reach it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOKEN_SECRET } from '../../../bench/rigs/edge-asks.ts';
import type { TestCloud } from '../../../bench/rigs/local-cloud.ts';
import { BENCH_SECRET } from '../../../bench/rigs/origin-process.ts';
import { bundleEdge, type WorkerBundle } from '../../../bench/rigs/worker-bundle.ts';
import type { Cleanup } from '../../../bench/support/cleanup.ts';
import { DEV_LOCATIONS } from '../../../dev/topology.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE, type Scope } from '../../../shared/domain/identity.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { type EdgeStatus, edgeStatusSchema, STATUS_PATH } from '../../../shared/wire/edge-status.ts';

export interface DrillEdge extends Pick<TestCloud, 'edgeUrl' | 'mintToken'> {
  status(): Promise<EdgeStatus>;
}

/** The bundle and the variables of a worker for `regions`. */
export async function bundleDrillEdge(cleanup: Cleanup) {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-drill-'));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  const bundle = await bundleEdge(directory);
  return { directory, bundle, bindingsFor: (regions: readonly Region[]) => bindingsOf(bundle, regions) };
}

const bindingsOf = ({ vars }: WorkerBundle, regions: readonly Region[]): Record<string, string> => ({
  ...vars,
  ENVIRONMENT: 'local',
  REGIONS: JSON.stringify(regions),
  DEV_LOCATIONS: JSON.stringify(DEV_LOCATIONS),
  TOKEN_SECRET,
  ORIGIN_SECRET: BENCH_SECRET,
  // Drills judge answers, and not the time of a busy machine.
  ORIGIN_TIMEOUT_MS: '10000',
  REQUEST_DEADLINE_MS: '30000',
});

export async function createDrillEdge(port: number): Promise<DrillEdge> {
  const edgeUrl = `http://127.0.0.1:${port}`;
  const claims = { audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS };
  const mint = (user: string, ...scope: string[]): Promise<string> =>
    mintToken({ user, scope: scope as Scope[], ...claims }, TOKEN_SECRET);
  const headers = { authorization: `Bearer ${await mint('service:drill', 'recs:status')}` };
  return {
    edgeUrl,
    mintToken: mint,
    status: async () => edgeStatusSchema.parse(await (await fetch(`${edgeUrl}${STATUS_PATH}`, { headers })).json()),
  };
}
