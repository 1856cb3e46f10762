// `node bench/origin/cold-reader.ts WAY HOST:PORT`, forked by cold.ts: single-user reads of one Bigtable in one of
// three ways, without a cache. Each message from the parent starts one measurement. The process ends with its parent.

import { Bigtable } from '@google-cloud/bigtable';
import { type Client, type ClientReadableStream, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadProtocol } from '../../dev/bigtable/wire/protocol.ts';
import { createRecommendationTable } from '../../origin/bigtable/recommendation-table.ts';
import { toUserId } from '../../shared/domain/ids.ts';
import { FAMILIES, makeListQualifier, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { GENERATION, makeKey, makeListener, SURFACE, tableAddress, VARIANT } from '../support/table-data.ts';
import { COLD_USERS, type ColdMeasure, type ColdOrder, type ColdWay } from './cold.ts';

const TIMEOUT_MS = 10_000;
const PROFILE = 'serve-europe';

/** Reads these users concurrently. Returns the number of lists found. */
type Read = (users: readonly string[]) => Promise<number>;

const [way = '', emulatorHost = ''] = process.argv.slice(2);
const address = tableAddress(emulatorHost);
let calls = 0;
const open: Readonly<Record<ColdWay, () => Promise<Read>>> = { naive: openNaive, table: openTable, bare: openBare };
const read = await open[way as ColdWay]();
process.on('message', (order: ColdOrder) => measure(order).then((measured) => process.send?.(measured)));
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function measure({ reads, size, atOnce }: ColdOrder): Promise<ColdMeasure> {
  const latencies: number[] = [];
  const firstUser = Math.floor(Math.random() * COLD_USERS);
  let next = 0;
  calls = 0;
  const startedAtMs = performance.now();
  const loop = async (): Promise<void> => {
    while (next < reads) {
      const from = firstUser + next;
      next += size;
      const sentAtMs = performance.now();
      const found = await read(Array.from({ length: size }, (_, i) => makeListener((from + i) % COLD_USERS)));
      latencies.push(performance.now() - sentAtMs);
      if (found !== size) throw new Error(`expected ${size} lists, got ${found}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
  const seconds = (performance.now() - startedAtMs) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { perSecond: next / seconds, p50Ms: at(0.5), p99Ms: at(0.99), keysPerCall: next / calls };
}

async function openTable(): Promise<Read> {
  const table = createRecommendationTable({
    address,
    appProfile: PROFILE,
    observerOf: () => ({
      onCall: () => {
        calls++;
        return () => {};
      },
      onRetry: () => {},
      onFailover: () => {},
      onHedge: () => {},
    }),
    onError: (error) => {
      throw error;
    },
  });
  await table.warm();
  return async ([user = '']) => {
    const [result] = await table.readLists([makeKey(user)], TIMEOUT_MS);
    return result?.kind === 'list' ? 1 : 0;
  };
}

async function openNaive(): Promise<Read> {
  process.env.BIGTABLE_EMULATOR_HOST = emulatorHost;
  const client = new Bigtable({ projectId: address.project, metricsEnabled: false, appProfileId: PROFILE } as object);
  const recommendations = client.instance(address.instance).table(TABLES.recommendations);
  const filter = [
    { family: FAMILIES.lists },
    { column: { name: makeListQualifier(SURFACE, VARIANT), cellLimit: 1 } },
    { time: { start: 0, end: (GENERATION + 1) * 1000 } },
  ] as never;
  return async ([user = '']) => {
    calls++;
    const [row] = (await recommendations
      .row(makeRowKey(toUserId(user)))
      .get({ filter, decode: false } as object)) as unknown as [{ data: Record<string, object> }];
    return Object.keys(row.data).length;
  };
}

async function openBare(): Promise<Read> {
  const { Bare } = loadPackageDefinition({ Bare: loadProtocol().data }) as unknown as {
    Bare: new (
      host: string,
      credentials: object,
    ) => Client & { readRows: (...args: object[]) => ClientReadableStream<Answer> };
  };
  const client = new Bare(emulatorHost, credentials.createInsecure());
  const tableName = `projects/${address.project}/instances/${address.instance}/tables/${TABLES.recommendations}`;
  const qualifier = Buffer.from(makeListQualifier(SURFACE, VARIANT));
  const column = { familyName: FAMILIES.lists, startQualifierClosed: qualifier, endQualifierClosed: qualifier };
  const filters = [
    { columnRangeFilter: column },
    { timestampRangeFilter: { endTimestampMicros: (GENERATION + 1) * 1000 } },
    { cellsPerColumnLimitFilter: 1 },
  ];
  return (users) =>
    new Promise((resolve, reject) => {
      calls++;
      let found = 0;
      const rowKeys = users.map((user) => Buffer.from(makeRowKey(toUserId(user))));
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
