import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createManifestPoller } from '../../../../origin/manifest/poller.ts';
import { EMPTY_MANIFEST, parseManifest } from '../../../../shared/domain/manifest.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';

const INTERVAL_MS = 2000;
const manifestOf = (version: number): string => JSON.stringify({ ...EMPTY_MANIFEST, version });
const parsed = async (json: Promise<string>) => ({ manifest: parseManifest(await json), json: await json });

/** A row whose content is `answer()` at each read. */
function setUp(answer: () => Promise<string>) {
  const clock = createManualClock();
  const counters = createCounters();
  const errors: unknown[] = [];
  let reads = 0;
  let changes = 0;
  const poller = createManifestPoller({
    read: () => {
      reads++;
      return parsed(answer());
    },
    intervalMs: INTERVAL_MS,
    clock,
    counters,
    onChange: () => changes++,
    onError: (error) => errors.push(error),
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await setImmediate();
  };
  return { changes: () => changes, clock, counters, errors, poller, pass, reads: () => reads };
}

describe('the manifest poller', () => {
  test('has no manifest before it is started, and the first one once the start has resolved', async () => {
    const { poller } = setUp(async () => manifestOf(7));
    expect(poller.latest()).toBeUndefined();
    await poller.start();
    expect(poller.latest()?.json).toBe(manifestOf(7));
  });

  test('reports a later version once, and neither the first one nor an earlier one', async () => {
    let version = 1;
    const { changes, poller, pass } = setUp(async () => manifestOf(version));
    const seen: number[] = [];
    await poller.start();
    for (const next of [1, 2, 2, 1, 3]) {
      version = next;
      await pass(INTERVAL_MS);
      seen.push(changes());
    }
    expect(seen).toEqual([0, 1, 1, 1, 2]);
  });

  test('reads once an interval, counted from the end of the read before', async () => {
    const { clock, pass, poller, reads } = setUp(async () => manifestOf(1));
    await poller.start();
    await pass(INTERVAL_MS - 1);
    expect(reads()).toBe(1);
    await pass(1);
    expect(reads()).toBe(2);
    for (let i = 0; i < 5; i++) await pass(INTERVAL_MS);
    expect(reads()).toBe(7);
    expect(clock.pending()).toBe(1);
  });

  test('never has two reads out at once, however slow Bigtable is', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { clock, pass, poller, reads } = setUp(() => promise);
    const started = poller.start();
    await pass(10 * INTERVAL_MS);
    expect([reads(), clock.pending()]).toEqual([1, 0]);
    resolve(manifestOf(1));
    await started;
    await pass(INTERVAL_MS);
    expect(reads()).toBe(2);
  });

  test('has what the last read gave, and one ETag for the same bytes only', async () => {
    const other = JSON.stringify({ ...EMPTY_MANIFEST, version: 1, later: 1 });
    const manifests = [manifestOf(1), manifestOf(1), other, manifestOf(1)];
    const { pass, poller } = setUp(async () => manifests.shift() ?? '');
    const seen: { json: string | undefined; etag: string | undefined }[] = [];
    await poller.start();
    for (let i = 0; i < 4; i++) {
      seen.push({ json: poller.latest()?.json, etag: poller.latest()?.etag });
      await pass(INTERVAL_MS);
    }
    expect(seen.map(({ json }) => json)).toEqual([manifestOf(1), manifestOf(1), other, manifestOf(1)]);
    const [first, same, changed, again] = seen.map(({ etag }) => etag);
    expect(first).toMatch(/^"[\w-]{22}"$/);
    expect([same, again]).toEqual([first, first]);
    expect(changed).not.toBe(first);
  });

  test('never goes back a version, which a cluster that is behind would have it do, and says so', async () => {
    const manifests = [manifestOf(2), manifestOf(1), manifestOf(3)];
    const { counters, errors, pass, poller } = setUp(async () => manifests.shift() ?? '');
    const seen: (string | undefined)[] = [];
    await poller.start();
    for (let i = 0; i < 3; i++) {
      seen.push(poller.latest()?.json);
      await pass(INTERVAL_MS);
    }
    expect(seen).toEqual([manifestOf(2), manifestOf(2), manifestOf(3)]);
    expect(errors[0]).toEqual(new Error("expected the manifest's version to be at least 2, got 1"));
    expect(counters.get('origin_manifest_failures_total')).toBeGreaterThanOrEqual(1);
  });

  test('keeps the last good one through errors, tells of each, and goes on', async () => {
    const answers: (string | Error)[] = [new Error('first'), manifestOf(1), new Error('third'), manifestOf(2)];
    const { counters, errors, pass, poller } = setUp(async () => {
      const answer = answers.shift() ?? manifestOf(2);
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const seen: (string | undefined)[] = [];
    const failedPolls: number[] = [];
    await poller.start();
    for (let i = 0; i < 4; i++) {
      seen.push(poller.latest()?.json);
      failedPolls.push(poller.failedPolls());
      await pass(INTERVAL_MS);
    }
    expect(failedPolls).toEqual([1, 0, 1, 0]);
    expect(seen).toEqual([undefined, manifestOf(1), manifestOf(1), manifestOf(2)]);
    expect(errors).toEqual([new Error('first'), new Error('third')]);
    expect(counters.snapshot()).toMatchObject({ origin_manifest_polls_total: 5, origin_manifest_failures_total: 2 });
  });

  test.each([
    [
      'too large',
      JSON.stringify({ ...EMPTY_MANIFEST, version: 2, later: 'x'.repeat(262_144) }),
      /at most 262144 bytes/,
    ],
    ['of a version that no writer reaches', manifestOf(2 ** 53 - 1), /expected a version of at most 1000000000/],
    ['broken', 'version 2', /expected the manifest to be JSON/],
  ])('keeps the last good one while the row is %s, and takes the next good one', async (_what, broken, reason) => {
    const answers = [manifestOf(1), broken, broken, manifestOf(2)];
    const { errors, pass, poller } = setUp(async () => answers.shift() ?? manifestOf(2));
    const seen: [string | undefined, number][] = [];
    await poller.start();
    for (let i = 0; i < 4; i++) {
      seen.push([poller.latest()?.json, poller.failedPolls()]);
      await pass(INTERVAL_MS);
    }
    expect(seen).toEqual([
      [manifestOf(1), 0],
      [manifestOf(1), 1],
      [manifestOf(1), 2],
      [manifestOf(2), 0],
    ]);
    expect(errors).toEqual([0, 1].map(() => expect.objectContaining({ message: expect.stringMatching(reason) })));
  });

  test('leaves nothing behind when it is stopped, whether it waits or reads', async () => {
    const waiting = setUp(async () => manifestOf(1));
    await waiting.poller.start();
    waiting.poller.stop();
    await waiting.pass(10 * INTERVAL_MS);
    expect([waiting.reads(), waiting.clock.pending()]).toEqual([1, 0]);

    const { promise, resolve } = Promise.withResolvers<string>();
    const reading = setUp(() => promise);
    const started = reading.poller.start();
    reading.poller.stop();
    resolve(manifestOf(1));
    await started;
    expect([reading.reads(), reading.clock.pending()]).toEqual([1, 0]);
  });
});
