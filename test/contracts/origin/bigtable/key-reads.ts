// Reads by key for one test, over real channels and without the layers above: each bound can be set, and the clock is
// manual.
import { onTestFinished } from 'vitest';
import { createManualClock, type ManualClock } from '../../../../bench/support/manual-clock.ts';
import type { BigtableAddress } from '../../../../origin/bigtable/connection.ts';
import { createLocalCluster, type LocalCluster } from '../../../../origin/bigtable/local-cluster.ts';
import type { RowFilter } from '../../../../origin/bigtable/read-rows.ts';
import { ReadChannels } from '../../../../origin/bigtable/reads/channels.ts';
import { createHedgeDelay, type HedgeDelay } from '../../../../origin/bigtable/reads/hedge-delay.ts';
import { KeyRead, type KeyReadDeps } from '../../../../origin/bigtable/reads/key-read.ts';
import { TABLES } from '../../../../shared/domain/keys.ts';
import { createRetryBudget, type RetryBudget } from '../../../../shared/runtime/retry-budget.ts';
import { TIMEOUT_MS } from '../instance.ts';

export interface ReadOutcome {
  /** The rows' values by key; undefined for an absent key. */
  readonly rows: Record<string, string | undefined>;
  /** The keys given up, each with its error code. */
  readonly failed?: { readonly keys: readonly string[]; readonly code: string };
}

export interface KeyReads {
  readonly clock: ManualClock;
  readonly channels: ReadChannels;
  readonly budget: RetryBudget;
  readonly hedgeDelay: HedgeDelay;
  readonly localCluster: LocalCluster;
  readonly seen: { calls: number[]; retries: number; failovers: number[]; hedges: string[]; slow: number };
  /**
   * Starts to read `keys`, after sorting them. `rows` has the rows received so far; `outcome` resolves at the end.
   */
  start(
    keys: readonly string[],
    timeoutMs?: number,
  ): Pick<KeyRead, 'cancel'> & { outcome: Promise<ReadOutcome>; rows: ReadOutcome['rows'] };
}

export interface KeyReadsOptions extends Partial<Omit<KeyReadDeps, 'channels' | 'clock' | 'observer'>> {
  /** Number of channels. Default: 1 */
  readonly count?: number;
  readonly filter?: RowFilter;
}

export async function openKeyReads(address: BigtableAddress, options: KeyReadsOptions = {}): Promise<KeyReads> {
  const clock = createManualClock();
  const { appProfile = 'serve-asia', hedgeProfile, random = () => 0.5, filter = { passAllFilter: true } } = options;
  const channels = new ReadChannels({
    address,
    appProfiles: hedgeProfile === undefined ? [appProfile] : [appProfile, hedgeProfile],
    count: options.count ?? 1,
    clock,
    random,
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => channels.close());
  await channels.warm();
  const budget = options.budget ?? createRetryBudget({ share: 0, reserve: 1000 });
  const hedgeDelay = options.hedgeDelay ?? createHedgeDelay();
  const seen: KeyReads['seen'] = { calls: [], retries: 0, failovers: [], hedges: [], slow: 0 };
  const localCluster = options.localCluster ?? createLocalCluster({ clock, random });
  const deps: KeyReadDeps = {
    channels,
    appProfile,
    hedgeProfile,
    localCluster,
    hedgeDelay,
    budget,
    maxRetries: options.maxRetries ?? 3,
    clock,
    random,
    observer: {
      onCall: ({ keys }) => {
        seen.calls.push(keys);
        return () => {};
      },
      onRetry: () => void seen.retries++,
      onFailover: (keys) => void seen.failovers.push(keys),
      onHedge: (outcome) => void seen.hedges.push(outcome),
    },
  };
  const tableName = `projects/${address.project}/instances/${address.instance}/tables/${TABLES.recommendations}`;

  return {
    clock,
    channels,
    budget,
    hedgeDelay,
    localCluster,
    seen,
    start: (keys, timeoutMs = TIMEOUT_MS) => {
      const over = Promise.withResolvers<ReadOutcome>();
      const rows: ReadOutcome['rows'] = {};
      let failed: ReadOutcome['failed'];
      const query = { tableName, filter, keys: [...keys].sort(), deadlineAtMs: clock.monotonicNow() + timeoutMs };
      const read = new KeyRead(deps, query, {
        onKey: (key, row) => {
          if (Object.hasOwn(rows, key)) over.reject(new Error(`expected ${key} to be answered once, got it twice`));
          rows[key] = row?.cells[0]?.value.toString();
        },
        onFailed: (failedKeys, { code }) => {
          failed = { keys: failedKeys, code };
        },
        onSlow: () => void seen.slow++,
        onOver: () => over.resolve({ rows, ...(failed === undefined ? {} : { failed }) }),
      });
      return { cancel: () => read.cancel(), outcome: over.promise, rows };
    },
  };
}
