// Three regions in one process: an embedded Bigtable with a cluster per region, and a real origin beside each, called
// over HTTP like the edge does.
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { createManualClock, type ManualClock } from '../../bench/support/manual-clock.ts';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { type Origin, startOrigin } from '../../origin/server.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { decodeUtf8 } from '../../shared/runtime/bytes.ts';
import { JSON_TYPE } from '../../shared/wire/json-body.ts';
import { mintOriginToken } from '../../shared/wire/origin-token.ts';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult } from '../../shared/wire/read-response.ts';
import { publishManifest, REGIONS, startInstance, TIMEOUT_MS } from '../contracts/origin/instance.ts';
import { IDLE_LOOP, originConfig } from '../contracts/origin/running-origin.ts';

export type RegionName = (typeof REGIONS)[number];

export interface ThreeRegions {
  readonly server: EmbeddedBigtable;
  readonly bigtable: BigtableConnection;
  /** The origins' clock. Advancing it triggers manifest polls. */
  readonly clock: ManualClock;
  readonly origins: Readonly<Record<RegionName, Origin>>;
  /** The answer of the region's origin for one key: the list's text, `absent`, or the error code. */
  read(region: RegionName, key: ListKey): Promise<string>;
  /** The manifest version of the region's origin. */
  manifestVersion(region: RegionName): Promise<number>;
  publish(manifest: Manifest): Promise<void>;
}

export const MANIFEST_POLL_MS = 2000;
const SECRET = 'origin-secret-of-the-scenarios-for-tests-only';

export async function startThreeRegions(): Promise<ThreeRegions> {
  const { server, bigtable, address } = await startInstance();
  const clock = createManualClock();
  const start = (region: RegionName): Promise<Origin> =>
    startOrigin(
      {
        ...originConfig(address),
        region,
        appProfile: `serve-${region}`,
        originSecrets: [SECRET],
        manifestPollMs: MANIFEST_POLL_MS,
        readTimeoutMs: TIMEOUT_MS,
        drainDelayMs: 0,
        drainTimeoutMs: TIMEOUT_MS,
      },
      { clock, logger: pino({ level: 'silent' }), loopLoad: () => IDLE_LOOP },
    );
  const origins = { asia: await start('asia'), europe: await start('europe'), us: await start('us') };
  onTestFinished(async () => {
    await Promise.all(REGIONS.map((region) => drainNow(origins[region], clock)));
  });
  const call = async (region: RegionName, path: string, init: RequestInit = {}) => {
    const token = await mintOriginToken(SECRET, { subject: 'edge', region, nowMs: clock.now() });
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': JSON_TYPE };
    return fetch(`${origins[region].url}${path}`, { ...init, headers });
  };

  return {
    server,
    bigtable,
    clock,
    origins,
    read: async (region, key) => {
      const response = await call(region, LISTS_READ_PATH, { method: 'POST', body: JSON.stringify({ keys: [key] }) });
      const [result] = decodeListFrames(new Uint8Array(await response.arrayBuffer()), 1);
      return describeResult(result);
    },
    manifestVersion: async (region) => ((await (await call(region, MANIFEST_PATH)).json()) as Manifest).version,
    publish: (next) => publishManifest(bigtable, next, clock.now()),
  };
}

function describeResult(result: ListResult | undefined): string {
  if (result === undefined) return 'nothing';
  if (result.kind === 'list') return decodeUtf8(result.bytes);
  return result.kind === 'absent' ? 'absent' : result.code;
}

/** Ends the drain delay, which waits on a stopped clock. */
async function drainNow(origin: Origin, clock: ManualClock): Promise<void> {
  const drained = origin.drain();
  clock.advance(0);
  await drained;
}
