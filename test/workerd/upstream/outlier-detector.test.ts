// Ejection of a region: its condition, duration and end.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { CONSECUTIVE, createOutlierDetector, WINDOW_MS } from '../../../edge/upstream/outlier-detector.ts';

function setUp({ chance = 0.5, regions = ['a', 'b', 'c'] } = {}) {
  const clock = createManualClock();
  const changes: string[] = [];
  const outliers = createOutlierDetector({
    regions,
    clock,
    random: () => chance,
    onChange: (region, state, ms) => changes.push(`${region} ${state}${state === 'ejected' ? ` ${ms}` : ''}`),
  });
  const noteAll = (region: string, pattern: string): void => {
    for (const each of pattern) outliers.record(region, each === 'x');
  };
  const eject = (region: string): void => noteAll(region, 'x'.repeat(CONSECUTIVE));
  return { clock, changes, outliers, noteAll, eject };
}

describe('a region is ejected', () => {
  test('after five bad outcomes in a row, however long they take to come', () => {
    const { clock, outliers, noteAll } = setUp();
    for (let i = 0; i < 4; i++) {
      noteAll('a', 'x');
      clock.advance(60_000);
    }
    expect(outliers.isEjected('a')).toBe(false);
    noteAll('a', 'x');
    expect(outliers.isEjected('a')).toBe(true);
  });

  test('not after four and a good one, again and again', () => {
    const { clock, outliers, noteAll } = setUp();
    for (let i = 0; i < 100; i++) {
      noteAll('a', 'xxxx.');
      clock.advance(WINDOW_MS);
    }
    expect(outliers.isEjected('a')).toBe(false);
  });

  test('when a fifth of the last second is bad, and not when less is', () => {
    const few = setUp();
    few.noteAll('a', '.....x'.repeat(20));
    expect(few.outliers.isEjected('a')).toBe(false);
    const many = setUp();
    many.noteAll('a', '...x'.repeat(5));
    expect(many.outliers.isEjected('a')).toBe(true);
  });

  test('for 1, 2, 4, 8 and again 8 s, each with up to a tenth more or less', () => {
    for (const [chance, factor] of [
      [0, 0.9],
      [0.5, 1],
      [1, 1.1],
    ] as const) {
      const { clock, changes, outliers, eject } = setUp({ chance });
      eject('a');
      for (let i = 0; i < 4; i++) {
        clock.advance(10_000);
        expect(outliers.takeProbe()).toBe('a');
        outliers.endProbe('a', true);
      }
      const times = changes
        .filter((change) => change.includes('ejected'))
        .map((change) => Number(change.split(' ')[2]));
      expect(times).toEqual([1_000, 2_000, 4_000, 8_000, 8_000].map((ms) => Math.round(ms * factor)));
    }
  });

  test('for the first time again after it was well for half a minute', () => {
    const { clock, changes, outliers, eject } = setUp();
    const ejectAndAdmit = (): void => {
      eject('a');
      clock.advance(20_000);
      outliers.takeProbe();
      outliers.endProbe('a', false);
    };
    ejectAndAdmit();
    ejectAndAdmit();
    clock.advance(30_000);
    ejectAndAdmit();
    expect(changes.filter((change) => change.includes('ejected'))).toEqual([
      'a ejected 1000',
      'a ejected 2000',
      'a ejected 1000',
    ]);
  });
});

describe('an ejected region', () => {
  test('is probed once when its time is over, and back when that goes well', () => {
    const { clock, outliers, eject } = setUp();
    eject('a');
    clock.advance(999);
    expect(outliers.takeProbe()).toBeUndefined();
    clock.advance(1);
    expect([outliers.takeProbe(), outliers.takeProbe(), outliers.isEjected('a')]).toEqual(['a', undefined, true]);
    outliers.endProbe('a', false);
    expect(outliers.isEjected('a')).toBe(false);
    expect(outliers.status('a')).toMatchObject({ state: 'healthy', attempts: 0, failures: 0 });
  });

  test('is probed again when the outcome of a probe is not reported', () => {
    const { clock, outliers, eject } = setUp();
    eject('a');
    clock.advance(1_000);
    expect(outliers.takeProbe()).toBe('a');
    clock.advance(9_999);
    expect(outliers.takeProbe()).toBeUndefined();
    clock.advance(1);
    expect(outliers.takeProbe()).toBe('a');
  });

  test('ignores the outcomes of earlier attempts, good or bad', () => {
    const { outliers, noteAll, eject, changes } = setUp();
    eject('a');
    noteAll('a', 'xxxxxxxx........');
    expect(changes).toEqual(['a ejected 1000']);
    expect(outliers.isEjected('a')).toBe(true);
  });
});

describe('the last region', () => {
  test('is never ejected', () => {
    const { outliers, eject } = setUp();
    for (const region of ['a', 'b', 'c']) eject(region);
    expect(['a', 'b', 'c'].map(outliers.isEjected)).toEqual([true, true, false]);
    const alone = setUp({ regions: ['a'] });
    alone.eject('a');
    expect(alone.outliers.isEjected('a')).toBe(false);
  });

  test('is one of few: when most are ejected it is a panic', () => {
    const { outliers, eject } = setUp();
    eject('a');
    expect(outliers.isPanic()).toBe(false);
    eject('b');
    expect(outliers.isPanic()).toBe(true);
  });
});
