// A command with the last word: its three words, waits by a manual clock, and everything else as an abort with a
// reason.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import type { RunShell } from '../../../../ops/cli/shell-command.ts';
import { runVerdictCommand } from '../../../../ops/release/verdict-command.ts';
import { settleWith } from '../../../support/waiting.ts';

/** A command that takes no time. The last output repeats. */
function script(...outputs: string[]) {
  const calls: { input: string; timeoutMs: number }[] = [];
  const run: RunShell = async (_command, { input, timeoutMs }) => {
    calls.push({ input, timeoutMs });
    return { output: outputs[Math.min(calls.length, outputs.length) - 1] ?? '', failure: undefined };
  };
  return { run, calls };
}

async function ask(run: RunShell, table: unknown = { rows: [] }) {
  const clock = createManualClock();
  const verdict = await settleWith(clock, runVerdictCommand('command', table, { clock, run }));
  expect(clock.pending()).toBe(0);
  return { verdict, tookMs: clock.now() - createManualClock().now() };
}

const abort = (reason: string) => ({ verdict: { verdict: 'abort', reason } });

describe('the first line', () => {
  test.each(['proceed', 'proceed\n', 'proceed\r\nabort\n', ' proceed \n'])('%j goes on', async (output) => {
    expect(await ask(script(output).run)).toMatchObject({ verdict: { verdict: 'proceed' } });
  });

  test.each([
    ['abort\n', 'it said abort'],
    ['abort\nthe click model disagrees\n', 'it said abort: the click model disagrees'],
    ['', 'expected the first line of its output to be proceed, wait or abort, got ""'],
    ['\nproceed\n', 'expected the first line of its output to be proceed, wait or abort, got ""'],
    ['PROCEED', 'expected the first line of its output to be proceed, wait or abort, got "PROCEED"'],
    ['proceed now', 'expected the first line of its output to be proceed, wait or abort, got "proceed now"'],
    ['x'.repeat(1000), `expected the first line of its output to be proceed, wait or abort, got "${'x'.repeat(200)}"`],
  ])('%j is an abort', async (output, reason) => {
    expect(await ask(script(output).run)).toMatchObject(abort(reason));
  });
});

test('wait is asked again after 60 s, with the same table and the time that is left', async () => {
  const { run, calls } = script('wait', 'wait', 'proceed');
  expect(await ask(run, { rows: [1] })).toEqual({ verdict: { verdict: 'proceed' }, tookMs: 120_000 });
  const input = '{"rows":[1]}\n';
  expect(calls).toEqual([600_000, 540_000, 480_000].map((timeoutMs) => ({ input, timeoutMs })));
});

test('wait without end is an abort within 10 minutes', async () => {
  const { run, calls } = script('wait');
  const { verdict, tookMs } = await ask(run);
  expect(verdict).toEqual({ verdict: 'abort', reason: 'it said wait for 10 minutes' });
  expect(tookMs).toBeLessThanOrEqual(600_000);
  expect(calls).toHaveLength(10);
});

test('a command that fails is an abort, whatever it said', async () => {
  const run: RunShell = async () => ({ output: 'proceed\n', failure: 'it ended with exit code 7' });
  expect(await ask(run)).toMatchObject(abort('it ended with exit code 7'));
});
