// `node bench/origin-cold.ts HOST:PORT ROUNDS`: single-user reads that no memory has, 64 at once, of one Bigtable: as one would write them first
// (`table.row(key).get()`), through the origin's table, and beside both what bare gRPC does with 100 keys a call: one call at a time, which has
// about as many reads out, and four. In a process of its own; prints one line of JSON, each figure the median of the rounds.
import { Bigtable } from '@google-cloud/bigtable';
import { type Client, type ClientReadableStream, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadProtocol } from '../dev/bigtable/protocol.ts';
import { createRecommendationTable } from '../origin/bigtable/recommendation-table.ts';
import { FAMILIES, makeListQualifier, makeRowKey, TABLES } from '../shared/keys.ts';
import { median } from './support/statistics.ts';
import { GENERATION, makeKey, makeListener, SURFACE, tableAddress, VARIANT } from './support/table-data.ts';

export interface ColdReport {
  readonly naivePerSecond: number;
  readonly tablePerSecond: number;
  readonly barePerSecond: number;
  readonly speedup: number;
  readonly vsBare: number;
  readonly vsBareFour: number;
  readonly naiveP50Ms: number;
  readonly tableP99Ms: number;
  readonly keysPerCall: number;
}

const [emulatorHost = '', rounds = '5'] = process.argv.slice(2);
export const USERS = 20_000;
const AT_ONCE = 64;
const NAIVE_READS = 2_000;
const TABLE_READS = 20_000;
const BARE_KEYS = 100;
const MANY_CALLS_AT_ONCE = 4;
const TIMEOUT_MS = 10_000;
const PROFILE = 'serve-europe';

const address = tableAddress(emulatorHost);
const tableName = `projects/${address.project}/instances/${address.instance}/tables/${TABLES.recommendations}`;
let calls = 0;
const table = createRecommendationTable({
  address,
  appProfile: PROFILE,
  observerOf: () => ({
    onCall: () => calls++,
    onCallEnd: () => {},
    onRetry: () => {},
    onFailover: () => {},
    onHedge: () => {},
  }),
  onError: (error) => {
    throw error;
  },
});
await table.warm();
const naive = openNaive();
const bare = openBare();

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** `reads` users, `size` a time, so many times at once. */
async function measure(
  reads: number,
  size: number,
  atOnce: number,
  read: (users: string[]) => Promise<number>,
): Promise<Measured> {
  const latencies: number[] = [];
  const firstUser = Math.floor(Math.random() * USERS);
  let next = 0;
  const startedAtMs = performance.now();
  const loop = async (): Promise<void> => {
    while (next < reads) {
      const from = firstUser + next;
      next += size;
      const sentAtMs = performance.now();
      const found = await read(Array.from({ length: size }, (_, i) => makeListener((from + i) % USERS)));
      latencies.push(performance.now() - sentAtMs);
      if (found !== size) throw new Error(`expected ${size} lists, got ${found}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
  const seconds = (performance.now() - startedAtMs) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { perSecond: next / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function readTable([user = '']: string[]): Promise<number> {
  const [result] = await table.readLists([makeKey(user)], TIMEOUT_MS);
  return result?.kind === 'list' ? 1 : 0;
}

function openNaive(): (users: string[]) => Promise<number> {
  process.env.BIGTABLE_EMULATOR_HOST = emulatorHost;
  const client = new Bigtable({ projectId: address.project, metricsEnabled: false, appProfileId: PROFILE } as object);
  const recommendations = client.instance(address.instance).table(TABLES.recommendations);
  const filter = [
    { family: FAMILIES.lists },
    { column: { name: makeListQualifier(SURFACE, VARIANT), cellLimit: 1 } },
    { time: { start: 0, end: (GENERATION + 1) * 1000 } },
  ] as never;
  return async ([user = '']) => {
    const [row] = (await recommendations.row(makeRowKey(user)).get({ filter, decode: false } as object)) as unknown as [
      { data: Record<string, object> },
    ];
    return Object.keys(row.data).length;
  };
}

function openBare(): (users: string[]) => Promise<number> {
  const { Bare } = loadPackageDefinition({ Bare: loadProtocol().data }) as unknown as {
    Bare: new (
      host: string,
      credentials: object,
    ) => Client & { readRows: (...args: object[]) => ClientReadableStream<Answer> };
  };
  const client = new Bare(emulatorHost, credentials.createInsecure());
  const qualifier = Buffer.from(makeListQualifier(SURFACE, VARIANT));
  const column = { familyName: FAMILIES.lists, startQualifierClosed: qualifier, endQualifierClosed: qualifier };
  const filters = [
    { columnRangeFilter: column },
    { timestampRangeFilter: { endTimestampMicros: (GENERATION + 1) * 1000 } },
    { cellsPerColumnLimitFilter: 1 },
  ];
  return (users) =>
    new Promise((resolve, reject) => {
      let found = 0;
      const rowKeys = users.map((user) => Buffer.from(makeRowKey(user)));
      const request = { tableName, appProfileId: PROFILE, rows: { rowKeys }, filter: { chain: { filters } } };
      const stream = client.readRows(request, new Metadata(), { deadline: Date.now() + TIMEOUT_MS });
      stream.on('data', ({ chunks }: Answer) => {
        for (const { commitRow } of chunks) if (commitRow) found++;
      });
      stream.on('error', reject);
      stream.on('end', () => resolve(found));
    });
}

interface Answer {
  readonly chunks: readonly { readonly commitRow?: boolean }[];
}

const results: ColdReport[] = [];
await measure(NAIVE_READS, 1, AT_ONCE, naive);
await measure(TABLE_READS, 1, AT_ONCE, readTable);
await measure(TABLE_READS, BARE_KEYS, MANY_CALLS_AT_ONCE, bare);
for (let round = 0; round < Number(rounds); round++) {
  const slow = await measure(NAIVE_READS, 1, AT_ONCE, naive);
  calls = 0;
  const ours = await measure(TABLE_READS, 1, AT_ONCE, readTable);
  const keysPerCall = TABLE_READS / calls;
  const best = await measure(TABLE_READS, BARE_KEYS, 1, bare);
  const four = await measure(TABLE_READS, BARE_KEYS, MANY_CALLS_AT_ONCE, bare);
  results.push({
    naivePerSecond: slow.perSecond,
    tablePerSecond: ours.perSecond,
    barePerSecond: best.perSecond,
    speedup: ours.perSecond / slow.perSecond,
    vsBare: ours.perSecond / best.perSecond,
    vsBareFour: ours.perSecond / four.perSecond,
    naiveP50Ms: slow.p50Ms,
    tableP99Ms: ours.p99Ms,
    keysPerCall,
  });
}
const names = Object.keys(results[0] ?? {}) as (keyof ColdReport)[];
const medians = Object.fromEntries(names.map((name) => [name, median(results.map((result) => result[name]))]));
process.stdout.write(`${JSON.stringify(medians)}\n`);
process.exit(0);
