import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import {
  makeGrpcError,
  NOT_FOUND,
  PERMISSION_DENIED,
  toTableError,
} from '../../../../origin/bigtable/bigtable-error.ts';
import { createFailureLog } from '../../../../origin/heartbeat/failure-log.ts';

function setUp() {
  const clock = createManualClock();
  const lines: { suppressed: number; message: string }[] = [];
  const warn = (fields: { suppressed: number }, message: string) => lines.push({ ...fields, message });
  const log = createFailureLog({ clock, logger: { warn } as never });
  const fail = (code: number) => log(toTableError(makeGrpcError(code, 'refused'), 'MutateRow of heartbeats'));
  return { clock, fail, lines };
}

test('an outage of an hour is a dozen lines, each with the number of failures in between', () => {
  const { clock, fail, lines } = setUp();
  for (let second = 0; second < 3600; second += 5) {
    fail(14);
    clock.advance(5000);
  }
  expect(lines.length).toBe(12);
  expect(lines.map(({ suppressed }) => suppressed)).toEqual([0, ...Array(11).fill(59)]);
});

test.each([
  [NOT_FOUND, 'the heartbeat could not be written: run `earshot schema apply`, which creates the table heartbeats'],
  [
    PERMISSION_DENIED,
    'the heartbeat could not be written: allow the service account of the origin to write the table heartbeats (docs/operations.md)',
  ],
  [14, 'the heartbeat could not be written'],
])('a failure with status %i says the remedy where there is one', (code, message) => {
  const { fail, lines } = setUp();
  fail(code);
  expect(lines).toEqual([expect.objectContaining({ message })]);
});
