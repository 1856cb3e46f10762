// The parts that take the fuzzed requests: the deployed worker in workerd, an origin process in each of two regions,
// and an embedded Bigtable with a list per user. Nothing starts a part again.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import { TOKEN_SECRET } from '../../../bench/rigs/edge-asks.ts';
import { connectInspector, type Inspector } from '../../../bench/rigs/inspector.ts';
import { startWorkerd } from '../../../bench/rigs/workerd.ts';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { DEV_LOCATIONS, makeRegions } from '../../../dev/topology.ts';
import type { BigtableAddress } from '../../../origin/bigtable/connection.ts';
import { POPULAR_USER, toName, toUserId } from '../../../shared/domain/ids.ts';
import { FAMILIES, JSON_QUALIFIER, makeItemRowKey, TABLES } from '../../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR, MAX_ITEMS } from '../../../shared/domain/list.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import {
  MONDAY,
  manifestOf,
  publishManifest,
  startInstance,
  type TestInstance,
  writeCell,
  writeList,
} from '../../contracts/origin/instance.ts';
import { shareEdgeBundle } from '../../support/shared-bundle/shared-bundle.ts';
import { eventually } from '../../support/waiting.ts';
import { EDGE_HOST } from './generators/edge-requests.ts';
import { itemOf, LARGE_USERS, POPULAR_ITEM, USERS } from './generators/texts.ts';
import { LIMITED_SERVICE, ORIGIN_SECRET, REQUIRED_SCOPE } from './generators/tokens.ts';

const REGION_NAMES = ['asia', 'us'] as const;

/** Small, so that they are full after the warm-up, and long before the end memory has to be flat. */
const CACHE_BYTES = '500000';
/** Two expanded lists of LARGE_USERS are more. */
const MAX_ANSWER_BYTES = 1_048_576;
/** Bytes of metadata of each item of LARGE_USERS. */
const METADATA_BYTES = 6_000;
/** Every limit is checked. Only the service of LIMITED_SERVICE reaches its own. */
const UNREACHED = { perSecond: 1_000_000, burst: 10_000_000 };
const LIMITS = {
  ...{ address: UNREACHED, subject: UNREACHED, scopes: { 'recs:read:any': UNREACHED } },
  services: { claim: 'azp', quotas: { [LIMITED_SERVICE]: { perSecond: 1, burst: 1 } } },
};
/** No time limit of a part may fire because this machine is slow. */
const LONG_MS = '30000';

export interface Part {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly inspector: Inspector;
  /** A path that the part always answers. */
  readonly healthPath: string;
}

export interface Deployment {
  readonly edge: Part;
  readonly origins: readonly Part[];
  /** Writes the own lists of `users`. */
  writeLists(users: readonly string[]): Promise<void>;
  /** The last lines that the origins logged. */
  logTail(): string;
}

export async function deploy(): Promise<Deployment> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-fuzz-'));
  const bundling = shareEdgeBundle();
  const { bigtable, address } = await startInstance();
  const write = (user: string, id: string): Promise<void> => {
    const key = { surface: toName('home'), variant: toName('control'), generation: MONDAY, user: toUserId(user) };
    return writeList(bigtable, key, [encodeItem(id, '1'), encodeItem('second', '0.5')].join(',\n'));
  };
  const writeLists = async (users: readonly string[]): Promise<void> => {
    await Promise.all(users.map((user) => write(user, itemOf(user))));
  };
  await writeLists(USERS);
  await write(POPULAR_USER, POPULAR_ITEM);
  await writeLargeLists(bigtable);
  await publishManifest(bigtable, manifestOf(1), systemClock.now());

  const [port = 0, ...ports] = await findFreePorts(1 + REGION_NAMES.length);
  const logs = REGION_NAMES.map((name) => join(directory, `${name}.log`));
  const origins = await Promise.all(
    REGION_NAMES.map((region, i) => startOriginProcess({ region, port: ports[i] ?? 0, address, log: logs[i] ?? '' })),
  );
  const bundle = await bundling;
  const regions = makeRegions(0)
    .filter(({ name }) => (REGION_NAMES as readonly string[]).includes(name))
    .map((region, i) => ({ ...region, origin: `http://127.0.0.1:${ports[i]}` }));
  const workerd = await startWorkerd({
    bundle,
    port,
    bindings: {
      ...bundle.vars,
      ...{ ENVIRONMENT: 'local', REGIONS: JSON.stringify(regions), DEV_LOCATIONS: JSON.stringify(DEV_LOCATIONS) },
      // The tokens of the generators end in the year 2100.
      TOKEN_MAX_LIFETIME_SECONDS: '3153600000',
      ...{ TOKEN_REQUIRED_SCOPES: REQUIRED_SCOPE, PUBLIC_HOSTS: `${EDGE_HOST},127.0.0.1:${port},*.previews.example` },
      ...{ RATE_LIMITS: 'on', LIMITS: JSON.stringify(LIMITS), MAX_ANSWER_BYTES: String(MAX_ANSWER_BYTES) },
      ...{ TOKEN_SECRET, ORIGIN_SECRET, CORS_ORIGINS: 'https://player.example.com' },
      ...{ ISOLATE_CACHE_BYTES: CACHE_BYTES, REGION_CACHE_BYTES: CACHE_BYTES },
      ...{ ORIGIN_TIMEOUT_MS: LONG_MS, REQUEST_DEADLINE_MS: LONG_MS },
    },
    objects: { REGION_CACHE: 'RegionCache' },
    isQuiet: true,
    withInspector: true,
  });
  onTestFinished(async () => {
    await workerd.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200));
  const inspector = await connectInspector(workerd.inspectorPort ?? 0);
  onTestFinished(() => inspector.close());
  return {
    edge: { name: 'workerd', pid: workerd.pid, port, inspector, healthPath: '/healthz' },
    origins,
    writeLists,
    logTail: () => logs.map((log) => readFileSync(log, 'utf8').trimEnd().split('\n').slice(-3).join('\n')).join('\n'),
  };
}

/** Lists of MAX_ITEMS items with metadata: the user's own first item, and items that all have in common. */
async function writeLargeLists(bigtable: TestInstance['bigtable']): Promise<void> {
  const common = Array.from({ length: MAX_ITEMS - 1 }, (_, i) => `large-item:${i}`);
  for (const user of LARGE_USERS) {
    const items = [itemOf(user), ...common].map((id, i) => encodeItem(id, String(1 - i / 1000)));
    const key = { surface: toName('home'), variant: toName('control'), generation: MONDAY, user: toUserId(user) };
    await writeList(bigtable, key, items.join(ITEM_SEPARATOR));
  }
  const cell = { table: TABLES.items, family: FAMILIES.metadata, qualifier: JSON_QUALIFIER, atMs: MONDAY };
  const value = JSON.stringify({ text: 'x'.repeat(METADATA_BYTES) });
  await Promise.all(common.map((id) => writeCell(bigtable, { ...cell, rowKey: makeItemRowKey(id), value })));
}

interface OriginProcess {
  readonly region: string;
  readonly port: number;
  readonly address: BigtableAddress;
  readonly log: string;
}

async function startOriginProcess({ region, port, address, log }: OriginProcess): Promise<Part> {
  const child = spawn(
    process.execPath,
    ['--inspect=127.0.0.1:0', '--max-semi-space-size=8', 'test/drills/fuzz/origin-process.ts'],
    {
      cwd: join(import.meta.dirname, '../../..'),
      stdio: ['ignore', openSync(log, 'a'), 'pipe'],
      env: {
        ...process.env,
        ...{ EARSHOT_REGION: region, EARSHOT_PROJECT: address.project, EARSHOT_INSTANCE: address.instance },
        ...{ EARSHOT_ORIGIN_SECRET: ORIGIN_SECRET, BIGTABLE_EMULATOR_HOST: address.emulatorHost, PORT: String(port) },
        ...{ EARSHOT_LIST_CACHE_BYTES: CACHE_BYTES, EARSHOT_ITEM_CACHE_BYTES: CACHE_BYTES },
        ...{ EARSHOT_READ_TIMEOUT_MS: LONG_MS, EARSHOT_MANIFEST_POLL_MS: '1000', LOG_LEVEL: 'error' },
      },
    },
  );
  onTestFinished(() => end(child));
  const inspectorPort = await readInspectorPort(child);
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200));
  const inspector = await connectInspector(inspectorPort);
  onTestFinished(() => inspector.close());
  return { name: `origin/${region}`, pid: child.pid ?? 0, port, inspector, healthPath: '/livez' };
}

async function readInspectorPort(child: ChildProcess): Promise<number> {
  if (child.stderr === null) throw new Error('expected the standard error of the origin, got none');
  for await (const line of createInterface({ input: child.stderr })) {
    const [, port] = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(line) ?? [];
    if (port !== undefined) return Number(port);
  }
  throw new Error('expected the origin to name its inspector, got nothing');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
