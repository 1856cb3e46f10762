import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createLocalCluster, FAILURES_TO_EJECT, MAX_PROBE_MS } from '../../../../origin/bigtable/local-cluster.ts';

/** With `random` 0 each probe has its latest time. */
function setUp(random = () => 0) {
  const clock = createManualClock();
  const changes: boolean[] = [];
  const cluster = createLocalCluster({ clock, random, onChange: (isUp) => changes.push(isUp) });
  const fail = (times = FAILURES_TO_EJECT) => {
    for (let i = 0; i < times; i++) cluster.recordFailure();
  };
  /** Milliseconds until a probe is due. */
  const untilProbeMs = (): { waitedMs: number; settle: (isAnswered: boolean) => void } => {
    for (let waitedMs = 0; ; waitedMs++, clock.advance(1)) {
      const settle = cluster.takeProbe();
      if (settle !== undefined) return { waitedMs, settle };
      if (waitedMs > 2 * MAX_PROBE_MS) throw new Error('expected a probe to fall due');
    }
  };
  return { changes, clock, cluster, fail, untilProbeMs };
}

test('a cluster is ejected after 5 failures in a row, and not after as many with an answer between them', () => {
  const { changes, cluster, fail } = setUp();
  fail(4);
  cluster.recordAnswer();
  fail(4);
  expect([cluster.isUp(), changes]).toEqual([true, []]);
  fail(1);
  expect([cluster.isUp(), changes]).toEqual([false, [false]]);
  fail(20);
  expect(changes).toEqual([false]);
});

test('one probe that is answered brings it back, and until then only a probe counts', () => {
  const { changes, cluster, fail, untilProbeMs } = setUp();
  fail();
  cluster.recordAnswer();
  expect(cluster.isUp()).toBe(false);
  untilProbeMs().settle(true);
  expect([cluster.isUp(), changes]).toEqual([true, [false, true]]);
  expect(cluster.takeProbe()).toBeUndefined();
  fail(4);
  expect(cluster.isUp()).toBe(true);
});

test('one probe is out at a time', () => {
  const { clock, cluster, fail, untilProbeMs } = setUp();
  fail();
  untilProbeMs();
  clock.advance(10 * MAX_PROBE_MS);
  expect(cluster.takeProbe()).toBeUndefined();
});

test('probes that fail come later and later, from half a second on, up to 10 s apart', () => {
  const { fail, untilProbeMs } = setUp();
  fail();
  const waits = Array.from({ length: 7 }, () => {
    const { waitedMs, settle } = untilProbeMs();
    settle(false);
    return waitedMs;
  });
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('chance takes up to half of the wait away, so that processes do not probe together', () => {
  const { fail, untilProbeMs } = setUp(() => 0.5);
  fail();
  expect(untilProbeMs().waitedMs).toBe(375);
});

test('a cluster that fails again soon after it came back is probed later than before, one that fails after long is not', () => {
  const { clock, fail, untilProbeMs } = setUp();
  fail();
  untilProbeMs().settle(true);
  clock.advance(MAX_PROBE_MS);
  fail();
  const { waitedMs, settle } = untilProbeMs();
  expect(waitedMs).toBe(1000);
  settle(true);
  clock.advance(MAX_PROBE_MS + 1);
  fail();
  expect(untilProbeMs().waitedMs).toBe(500);
});
