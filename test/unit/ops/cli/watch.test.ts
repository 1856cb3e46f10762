import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { watch } from '../../../../ops/cli/watch.ts';

async function startWatch({ isTTY, make }: { isTTY: boolean; make: () => Promise<string> }) {
  const clock = createManualClock();
  const written: string[] = [];
  const output = { isTTY, write: (text: string) => written.push(text) };
  void watch(make, { everyMs: 1000, clock, output });
  await setImmediate();
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await setImmediate();
  };
  return { written, pass };
}

function countUp() {
  let count = 0;
  return async () => `${++count}\n`;
}

test('the output is written immediately and then once a second', async () => {
  const { written, pass } = await startWatch({ isTTY: false, make: countUp() });
  expect(written).toEqual(['1\n']);
  await pass(999);
  expect(written).toEqual(['1\n']);
  await pass(1);
  await pass(1000);
  expect(written).toEqual(['1\n', '2\n', '3\n']);
});

test('on a terminal it replaces the previous output', async () => {
  const { written, pass } = await startWatch({ isTTY: true, make: countUp() });
  await pass(1000);
  expect(written).toEqual(['\u001b[H\u001b[J1\n', '\u001b[H\u001b[J2\n']);
});

test('a failure is reported and tried again', async () => {
  const answers = [Promise.reject(new Error('the edge does not answer')), Promise.resolve('well again\n')];
  const { written, pass } = await startWatch({ isTTY: false, make: () => answers.shift() ?? Promise.resolve('') });
  await pass(1000);
  expect(written).toEqual(['the edge does not answer\n', 'well again\n']);
});
