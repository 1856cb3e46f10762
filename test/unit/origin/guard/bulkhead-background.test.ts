import { describe, expect, test } from 'vitest';
import { reasonOf, setUp } from './held-work.ts';

describe('background reads', () => {
  test('have their share of the slots and leave the rest to the foreground', async () => {
    const { request, names, pass } = setUp({ slots: 100, backgroundShare: 0.25 });
    request(25, { name: 'b1', priority: 'background' });
    request(1, { name: 'b2', priority: 'background' });
    request(80, { name: 'f1' });
    await pass();
    expect(names()).toEqual(['b1', 'f1']);
  });

  test('start after every foreground read that waits, whoever came first', async () => {
    const { request, end, names, pass } = setUp({ slots: 100 });
    request(100, { name: 'a' });
    request(10, { name: 'background', priority: 'background' });
    request(100, { name: 'f1' });
    request(100, { name: 'f2' });
    await pass();
    for (let i = 0; i < 3; i++) await end(i);
    expect(names()).toEqual(['a', 'f1', 'f2', 'background']);
  });

  test('do not wait in a bulkhead that is more than half full', async () => {
    const { request, pass } = setUp({ slots: 100, queueSlots: 100 });
    request(100);
    const refused = request(1, { priority: 'background' });
    await pass();
    expect(reasonOf(refused.settled)).toBe('background');
  });

  test('that wait give their places to foreground reads', async () => {
    const { request, bulkhead, pass, shed } = setUp({ slots: 100, queueSlots: 320, backgroundShare: 0.1 });
    request(100);
    const [b1, b2] = [request(40, { priority: 'background' }), request(60, { priority: 'background' })];
    request(200);
    await pass();
    expect([b1.settled, b2.settled]).toEqual([{}, {}]);
    const last = request(100);
    await pass();
    expect([reasonOf(b1.settled), reasonOf(b2.settled), last.settled]).toEqual(['displaced', 'displaced', {}]);
    expect(shed.map(({ reason }) => reason)).toEqual(['displaced', 'displaced']);
    expect(bulkhead.state().queued).toBe(300);
  });

  test('are not let in while foreground reads are being shed', async () => {
    const { request, end, measureRate, pass } = setUp({ slots: 100, maxDelayMs: 100, queueSlots: 10_000 });
    await measureRate(1);
    request(100);
    request(150);
    const shed = request(100);
    await pass(60);
    await end(0);
    await end(1);
    const refused = request(1, { priority: 'background' });
    await pass();
    expect([reasonOf(shed.settled), reasonOf(refused.settled)]).toEqual(['queue_delay', 'background']);
    await pass(2000);
    const later = request(1, { priority: 'background' });
    await pass();
    expect(later.settled).toEqual({});
  });
});
