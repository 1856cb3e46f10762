// What real processes do not do on command (test/contracts/origin/cluster-metrics.test.ts has them): late answers, and
// no answers at all.
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { askPrimary, collectFromWorkers, type WorkerChannel } from '../../../../origin/metrics/cluster-metrics.ts';
import type { MetricsSnapshot } from '../../../../origin/metrics/metrics.ts';
import { createManualClock } from '../../../../shared/runtime/clock.ts';

const snapshotOf = (reads: number, waiting: number): MetricsSnapshot =>
  [
    { name: 'reads', help: 'h', type: 'counter', aggregator: 'sum', values: [{ value: reads, labels: {} }] },
    { name: 'waiting', help: 'h', type: 'gauge', aggregator: 'sum', values: [{ value: waiting, labels: {} }] },
  ] as unknown as MetricsSnapshot;

interface Sent {
  readonly type: string;
  readonly id: number;
}

/** A primary with two workers that a test plays. */
function setUp() {
  const clock = createManualClock();
  const sent: Record<number, Sent[]> = { 1: [], 2: [] };
  const connected = new Set([1, 2]);
  const listeners: { message?: (worker: WorkerChannel, message: unknown) => void; exit?: (w: WorkerChannel) => void } =
    {};
  const workers = Object.fromEntries(
    [1, 2].map((id) => [
      id,
      { id, isConnected: () => connected.has(id), send: (message: unknown) => void sent[id]?.push(message as Sent) },
    ]),
  );
  const collect = collectFromWorkers({
    cluster: {
      workers,
      on: (event: 'message' | 'exit', listener: never) => {
        listeners[event] = listener;
      },
    },
    clock,
  });
  const worker = (id: number): WorkerChannel => workers[id] as WorkerChannel;
  const answer = (id: number, snapshot: MetricsSnapshot, round = sent[id]?.at(-1)?.id) =>
    listeners.message?.(worker(id), { type: 'earshot:metrics:snapshot', id: round, snapshot });
  return { clock, sent, connected, collect, answer, exit: (id: number) => listeners.exit?.(worker(id)) };
}

const valuesOf = (body: string): Record<string, number> =>
  Object.fromEntries([...body.matchAll(/^(\w+) (\S+)$/gm)].map(([, name, value]) => [name ?? '', Number(value)]));

test('scrapes that come together share one round', async () => {
  const { answer, clock, collect, sent } = setUp();
  const both = [collect(), collect()];
  answer(1, snapshotOf(10, 1));
  answer(2, snapshotOf(5, 2));
  expect((await Promise.all(both)).map(({ body }) => valuesOf(body))).toEqual(Array(2).fill({ reads: 15, waiting: 3 }));
  expect([sent[1]?.length, clock.pending()]).toEqual([1, 0]);
});

test('an answer that came too late counts as the last one of its worker, and is no answer to the next round', async () => {
  const { answer, clock, collect, sent } = setUp();
  const first = collect();
  answer(1, snapshotOf(10, 1));
  clock.advance(1000);
  expect(valuesOf((await first).body)).toEqual({ reads: 10, waiting: 1 });
  answer(2, snapshotOf(5, 2), sent[2]?.[0]?.id);
  const second = collect();
  answer(2, snapshotOf(6, 2), sent[2]?.[0]?.id);
  answer(1, snapshotOf(11, 1));
  clock.advance(1000);
  expect(valuesOf((await second).body)).toEqual({ reads: 17, waiting: 1 });
});

test('no sum ever goes down and no gauge stays behind, whoever is late, cut off or gone', async () => {
  const { answer, clock, collect, connected, exit } = setUp();
  const reads: (number | undefined)[] = [];
  const waiting: (number | undefined)[] = [];
  const scrape = async (answers: () => void) => {
    const scraped = collect();
    answers();
    clock.advance(1000);
    const values = valuesOf((await scraped).body);
    reads.push(values.reads);
    waiting.push(values.waiting);
  };
  await scrape(() => {
    answer(1, snapshotOf(10, 1));
    answer(2, snapshotOf(5, 1));
  });
  await scrape(() => answer(1, snapshotOf(12, 1)));
  connected.delete(2);
  await scrape(() => answer(1, snapshotOf(13, 1)));
  exit(2);
  await scrape(() => answer(1, snapshotOf(14, 1)));
  connected.delete(1);
  exit(1);
  await scrape(() => undefined);
  expect(reads).toEqual([15, 17, 18, 19, 19]);
  expect(waiting).toEqual([2, 1, 1, 1, undefined]);
});

test('a worker whose primary does not answer says so rather than tell its own figures', async () => {
  const clock = createManualClock();
  const sent: unknown[] = [];
  const expose = askPrimary({
    metrics: { snapshot: async () => [] },
    channel: { on: () => undefined, send: (message) => void sent.push(message) },
    clock,
    timeoutMs: 300,
  });
  const refused = expect(expose()).rejects.toMatchObject({ code: 'unavailable' });
  clock.advance(300);
  await refused;
  expect([sent, clock.pending()]).toEqual([[{ type: 'earshot:metrics:ask', id: 0 }], 0]);
});

test('what is no number is left out on the way: JSON would make it null', async () => {
  const sent: unknown[] = [];
  let hear: (message: unknown) => void = () => undefined;
  askPrimary({
    metrics: { snapshot: async () => [...snapshotOf(1, Number.NaN)] },
    channel: {
      on: (_, listener) => {
        hear = listener;
      },
      send: (message) => void sent.push(message),
    },
    clock: createManualClock(),
  });
  hear({ type: 'somebody else' });
  hear('text');
  hear(null);
  hear({ type: 'earshot:metrics:collect', id: 7 });
  await setImmediate();
  expect(sent).toMatchObject([{ id: 7, snapshot: [{ values: [{ value: 1 }] }, { values: [] }] }]);
});
