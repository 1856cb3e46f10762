import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createByteAccount } from '../../../../shared/runtime/byte-account.ts';

const open = (maxBytes = 100) => {
  const clock = createManualClock();
  return { clock, account: createByteAccount({ clock, maxBytes, maxAgeMs: 1_000 }) };
};

test('bytes are refused beyond the bound, and free again after the release', () => {
  const { account } = open();
  const [first, second] = [account.open(), account.open()];
  expect([first.tryAdd(60), second.tryAdd(40), second.tryAdd(1), account.bytes]).toEqual([true, true, false, 100]);
  first.release();
  expect([account.bytes, second.tryAdd(60), account.bytes]).toEqual([40, true, 100]);
  second.release();
  expect(account.bytes).toBe(0);
});

test('a second release frees nothing, and an ended hold adds nothing: its request keeps no bytes', () => {
  const { account } = open();
  const [first, second] = [account.open(), account.open()];
  first.tryAdd(10);
  second.tryAdd(10);
  first.release();
  first.release();
  expect([account.bytes, first.tryAdd(5), account.bytes]).toEqual([10, true, 10]);
  const unused = account.open();
  unused.release();
  expect([unused.tryAdd(500), account.bytes]).toEqual([true, 10]);
});

test('a refused addition leaves the hold as it was', () => {
  const { account } = open();
  const hold = account.open();
  expect([hold.tryAdd(101), hold.tryAdd(100), account.bytes]).toEqual([false, true, 100]);
});

test('a hold whose request was lost gives way when its room is needed', () => {
  const { account, clock } = open();
  const [lost, late] = [account.open(), account.open()];
  lost.tryAdd(100);
  clock.advance(999);
  expect(late.tryAdd(1)).toBe(false);
  clock.advance(1);
  expect([account.open().tryAdd(100), account.bytes]).toEqual([true, 100]);
  lost.release();
  expect(account.bytes).toBe(100);
});
