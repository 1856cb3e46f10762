// `node bench/origin/hedging.ts HOST:PORT hedged|unhedged`: single reads of a Bigtable that delays some calls. Prints
// one line of JSON. Each way runs in a process of its own, so that neither warms up the other.
import { createRecommendationTable } from '../../origin/bigtable/recommendation-table.ts';
import { makeKey, makeListener, tableAddress } from '../support/table-data.ts';

export interface HedgingReport {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Row keys sent to Bigtable per list read. */
  readonly keysPerRead: number;
  readonly hedges: number;
  readonly won: number;
  readonly denied: number;
}

const [emulatorHost = '', way = ''] = process.argv.slice(2);
const USERS = 2_000;
const READS = 30_000;
/** Reads before the delay of a hedge is measured. */
const WARM_UP_READS = 5_000;
const AT_ONCE = 16;
const TIMEOUT_MS = 10_000;
let keys = 0;
const hedges = { won: 0, lost: 0, denied: 0 };
const table = createRecommendationTable({
  address: tableAddress(emulatorHost),
  appProfile: 'serve-asia',
  hedgeProfile: way === 'hedged' ? 'serve-any' : undefined,
  // Each read is a call of its own, so one read in a hundred is delayed.
  callsPerBatchKey: AT_ONCE,
  observerOf: () => ({
    onCall: (call) => {
      keys += call.keys;
      return () => {};
    },
    onRetry: () => {},
    onFailover: () => {},
    onHedge: (outcome) => {
      hedges[outcome]++;
    },
  }),
  onError: (error) => {
    throw error;
  },
});
await table.warm();
const latencies: number[] = [];
let next = 0;
const loop = async (reads: number): Promise<void> => {
  while (next < reads) {
    const user = makeListener(next++ % USERS);
    const sentAtMs = performance.now();
    const [result] = await table.readLists([makeKey(user)], TIMEOUT_MS);
    latencies.push(performance.now() - sentAtMs);
    if (result?.kind !== 'list') throw new Error(`expected the list of ${user}, got ${result?.kind}`);
  }
};
const readAll = (reads: number) => Promise.all(Array.from({ length: AT_ONCE }, () => loop(reads)));
await readAll(WARM_UP_READS);
latencies.length = 0;
next = 0;
keys = 0;
Object.assign(hedges, { won: 0, lost: 0, denied: 0 });
await readAll(READS);
latencies.sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
const { won, lost, denied } = hedges;
const report: HedgingReport = {
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  p999Ms: at(0.999),
  keysPerRead: keys / READS,
  hedges: won + lost,
  won,
  denied,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
