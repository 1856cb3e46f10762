// The lines of progress, where standard error is no terminal.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createProgress } from '../../../../ops/ingest/progress.ts';

function linesOf(totalBytes: number | undefined, ...read: readonly number[]): string[] {
  const lines: string[] = [];
  const output = { isTTY: false, write: (text: string) => lines.push(text) } as unknown as NodeJS.WriteStream;
  const clock = createManualClock();
  const progress = createProgress({ label: 'home/control', output, clock });
  progress.start(totalBytes);
  for (const bytes of read) {
    progress.addBytes(bytes);
    clock.advance(5_000);
    progress.setCounts(7, 1);
  }
  progress.stop();
  return lines;
}

test('is the share of the bytes, and never more than all', () => {
  expect(linesOf(2_000, 500, 1_600)).toEqual([
    'home/control: 25 %, 7 loaded, 1 rejected\n',
    'home/control: 100 %, 7 loaded, 1 rejected\n',
  ]);
});

test('is the number of bytes where the end of an input is not known', () => {
  expect(linesOf(undefined, 5_000)).toEqual(['home/control: 5 000 bytes, 7 loaded, 1 rejected\n']);
});
