import { describe, expect, test } from 'vitest';
import { reasonOf, setUp } from './held-work.ts';

describe('background reads', () => {
  test('have their share of the slots and leave the rest to the foreground', async () => {
    const { ask, names, pass } = setUp({ slots: 100, backgroundShare: 0.25 });
    ask(25, { name: 'b1', priority: 'background' });
    ask(1, { name: 'b2', priority: 'background' });
    ask(80, { name: 'f1' });
    await pass();
    expect(names()).toEqual(['b1', 'f1']);
  });

  test('start after every foreground read that waits, whoever came first', async () => {
    const { ask, end, names, pass } = setUp({ slots: 100 });
    ask(100, { name: 'a' });
    ask(10, { name: 'background', priority: 'background' });
    ask(100, { name: 'f1' });
    ask(100, { name: 'f2' });
    await pass();
    for (let i = 0; i < 3; i++) await end(i);
    expect(names()).toEqual(['a', 'f1', 'f2', 'background']);
  });

  test('do not wait in a bulkhead that is more than half full', async () => {
    const { ask, pass } = setUp({ slots: 100, queueSlots: 100 });
    ask(100);
    const refused = ask(1, { priority: 'background' });
    await pass();
    expect(reasonOf(refused.settled)).toBe('background');
  });

  test('that wait give their places to foreground reads', async () => {
    const { ask, bulkhead, pass, shed } = setUp({ slots: 100, queueSlots: 320, backgroundShare: 0.1 });
    ask(100);
    const [b1, b2] = [ask(40, { priority: 'background' }), ask(60, { priority: 'background' })];
    ask(200);
    await pass();
    expect([b1.settled, b2.settled]).toEqual([{}, {}]);
    const last = ask(100);
    await pass();
    expect([reasonOf(b1.settled), reasonOf(b2.settled), last.settled]).toEqual(['displaced', 'displaced', {}]);
    expect(shed.map(({ reason }) => reason)).toEqual(['displaced', 'displaced']);
    expect(bulkhead.state().queued).toBe(300);
  });

  test('are not let in while foreground reads are being shed', async () => {
    const { ask, end, measureRate, pass } = setUp({ slots: 100, maxDelayMs: 100, queueSlots: 10_000 });
    await measureRate(1);
    ask(100);
    ask(150);
    const shed = ask(100);
    await pass(60);
    await end(0);
    await end(1);
    const refused = ask(1, { priority: 'background' });
    await pass();
    expect([reasonOf(shed.settled), reasonOf(refused.settled)]).toEqual(['queue_delay', 'background']);
    await pass(2000);
    const later = ask(1, { priority: 'background' });
    await pass();
    expect(later.settled).toEqual({});
  });
});
