// Broken streams: missing keys are read again, received rows are not, and permanent errors are not retried.
import { existsSync, readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import type { Row } from '../../../../origin/bigtable/chunk-merger.ts';
import { openRowStream } from '../../../../origin/bigtable/reads/row-stream.ts';
import { createRetryBudget } from '../../../../shared/runtime/retry-budget.ts';
import { expectedOutcome, outcomeOf, READ_ROWS_CASES, readRowsCases } from '../../../support/read-rows-cases.ts';
import { describeWithRealData, realData } from '../../../support/real-data.ts';
import { eventually, settleWith } from '../../../support/waiting.ts';
import { startEmptyInstance, TIMEOUT_MS } from '../instance.ts';
import { type KeyReadsOptions, openKeyReads } from './key-reads.ts';
import { listKey, openTable, startTable, textOf, users } from './running-table.ts';
import { type ScriptedAnswer, type ScriptedChunk, startScriptedBigtable } from './scripted-bigtable.ts';
import streamFailures from './stream-failures.json' with { type: 'json' };

async function openScripted(script: readonly ScriptedAnswer[], options: KeyReadsOptions = {}) {
  const server = await startScriptedBigtable(script);
  return { server, ...(await openKeyReads(server.address, options)) };
}

const internal = { kind: 'error', code: 'internal' } as const;

/** Rows of the scripted server: each has its key as its value. */
const rowsOf = (keys: readonly string[], there: readonly string[]) =>
  Object.fromEntries(keys.map((key) => [key, there.includes(key) ? key : undefined]));

interface StreamFailure {
  readonly name: string;
  readonly keys: readonly string[];
  readonly maxRetries?: number;
  readonly answers: readonly ScriptedAnswer[];
  readonly asked: readonly (readonly string[])[];
  readonly rows: readonly string[];
  readonly failed?: { readonly keys: readonly string[]; readonly code: string };
}

describe('a stream that breaks', () => {
  test.each(streamFailures as unknown as StreamFailure[])('$name', async (each) => {
    const { maxRetries = 3, failed } = each;
    const { clock, seen, server, start } = await openScripted(each.answers, { maxRetries });
    const outcome = await settleWith(clock, start(each.keys).outcome, 1);
    const known = each.keys.filter((key) => failed === undefined || !failed.keys.includes(key));
    expect(outcome).toEqual({ rows: rowsOf(known, each.rows), ...(failed === undefined ? {} : { failed }) });
    expect(server.asked).toEqual(each.asked);
    expect(seen.retries).toBe(each.asked.length - 1);
    expect(clock.pending()).toBe(1);
  });

  test('gives every row once and right, however often the cluster cuts it inside a row', async () => {
    const clock = createManualClock();
    // A call for the last row alone would break inside that row each time.
    const random = () => (seen.calls.at(-1) === 1 ? 1 : 0);
    const { read, seen, server, write } = await startTable({ random }, { clock });
    const keys = users(30).map((user) => listKey(user));
    await Promise.all(keys.map((key) => write(key, `list of ${key.user}`)));
    server.setFault('asia', { cutShare: 0.99 });
    const results = await settleWith(clock, read(...keys), 1);
    expect(results.map(textOf)).toEqual(keys.map(({ user }) => `list of ${user}`));
    expect(seen.calls[0]).toBe(30);
    for (const [i, asked] of seen.calls.entries()) if (i > 0) expect(asked).toBeLessThan(seen.calls[i - 1] ?? 0);
    expect(seen.errors).toEqual([]);
  });
});

describe('a repetition', () => {
  const down: ScriptedAnswer = { endsWith: 'UNAVAILABLE' };

  test('is not made when it would begin after the deadline', async () => {
    const { clock, seen, server, start } = await openScripted([down], { random: () => 0.999 });
    const { outcome } = start(['a'], TIMEOUT_MS);
    clock.advance(TIMEOUT_MS - 5);
    expect(await outcome).toEqual({ rows: {}, failed: { keys: ['a'], code: 'unavailable' } });
    expect([server.asked.length, seen.retries]).toEqual([1, 0]);
  });

  test('is not made when the budget is spent, and leaves what is left of it to smaller ones', async () => {
    const budget = createRetryBudget({ share: 0, reserve: 3 });
    const { clock, server, start } = await openScripted([down, down, { messages: [{ rows: ['a'] }] }], { budget });
    const large = await start(['a', 'b', 'c', 'd']).outcome;
    expect(large.failed).toEqual({ keys: ['a', 'b', 'c', 'd'], code: 'unavailable' });
    expect(await settleWith(clock, start(['a']).outcome, 1)).toEqual({ rows: { a: 'a' } });
    expect(server.asked).toEqual([['a', 'b', 'c', 'd'], ['a'], ['a']]);
    expect(budget.level()).toBeCloseTo(2 / 3);
  });

  test('costs the budget the keys that are still missing, not those that have come', async () => {
    const budget = createRetryBudget({ share: 0, reserve: 10 });
    const script = [{ messages: [{ rows: ['a', 'b'] }], ...down }, { messages: [{ rows: ['c'] }] }];
    const { clock, start } = await openScripted(script, { budget });
    await settleWith(clock, start(['a', 'b', 'c']).outcome, 1);
    expect(budget.level()).toBeCloseTo(0.9);
  });

  test('waits a share of 10, then 20, then 40 ms that chance decides, and no longer', async () => {
    const { clock, seen, server, start } = await openScripted([down, down, down, down], { random: () => 0.5 });
    const { outcome } = start(['a']);
    for (const [i, waitMs] of [5, 10, 20].entries()) {
      await eventually(() => expect(seen.retries).toBe(i + 1));
      clock.advance(waitMs - 1);
      expect(seen.calls).toHaveLength(i + 1);
      clock.advance(1);
      expect(seen.calls).toHaveLength(i + 2);
    }
    expect((await outcome).failed).toEqual({ keys: ['a'], code: 'unavailable' });
    expect(server.asked).toHaveLength(4);
  });

  test('that was planned is not made after the read was cancelled, and leaves no timer', async () => {
    const { clock, seen, server, start } = await openScripted([down]);
    const { cancel, outcome } = start(['a']);
    await eventually(() => expect(seen.retries).toBe(1));
    cancel();
    expect(await outcome).toEqual({ rows: {} });
    clock.advance(1000);
    // The remaining timer replaces the channel.
    expect([server.asked.length, seen.calls.length, clock.pending()]).toEqual([1, 1, 1]);
  });

  test('is not made once the channels are closed', async () => {
    const { channels, seen, start } = await openScripted([{ isHeld: true }]);
    const { outcome } = start(['a']);
    await channels.close();
    expect((await outcome).failed?.keys).toEqual(['a']);
    expect(seen.retries).toBe(0);
  });
});

describe('what is set up wrongly', () => {
  test('a table that is not there is asked once', async () => {
    const { address } = await startEmptyInstance();
    const { table, seen } = await openTable(address, { appProfile: 'default' });
    expect(await table.readLists([listKey('u:1'), listKey('u:2')], TIMEOUT_MS)).toEqual([internal, internal]);
    expect([seen.calls, seen.retries]).toEqual([[2], 0]);
  });

  test('a profile that was there when the connection was primed, and is not any more, is asked once', async () => {
    const { bigtable, read, seen } = await startTable();
    const name = `${bigtable.instanceName}/appProfiles/serve-asia`;
    await (await bigtable.instanceAdmin()).deleteAppProfile({ name, ignoreWarnings: true });
    expect(await read(listKey('u:1'))).toEqual([internal]);
    expect([seen.calls, seen.retries]).toEqual([[1], 0]);
  });
});

interface RetryCase {
  readonly name: string;
  readonly max_retries: number;
  readonly createReadStream_options?: { keys?: string[]; ranges?: object[]; limit?: number };
  readonly request_options: readonly { rowKeys: string[]; rowRanges: { startKeyOpen?: string }[] }[];
  readonly responses: readonly { row_keys?: string[]; end_with_error?: number }[];
  readonly row_keys_read: readonly (readonly string[])[];
  readonly error?: number;
}

const RETRY_CASES = 'bigtable/read-rows-retry.json';

/** The reason why a case does not apply to reads by key; undefined if it applies. */
function whyNotByKey({ createReadStream_options: { ranges, limit } = {} }: RetryCase): string | undefined {
  if (ranges !== undefined) return 'it reads ranges, and Earshot reads by key';
  return limit === undefined ? undefined : 'it has a limit, and Earshot reads all keys that it names';
}

describeWithRealData("Google's cases for repeating ReadRows", RETRY_CASES, () => {
  const cases = existsSync(realData(RETRY_CASES))
    ? (JSON.parse(readFileSync(realData(RETRY_CASES), 'utf8')) as { tests: RetryCase[] }).tests
    : [];

  for (const each of cases.filter((one) => whyNotByKey(one) === undefined)) test(each.name, () => holds(each));

  test('that are not about reading by key are four, each with its reason', () => {
    const others = cases.flatMap((each) => whyNotByKey(each) ?? []);
    expect([others.length, cases.length - others.length]).toEqual([4, 5]);
  });

  async function holds(each: RetryCase): Promise<void> {
    const named = each.responses.flatMap(({ row_keys = [] }) => row_keys);
    const keys = (each.createReadStream_options?.keys ?? [...new Set(named)]).toSorted();
    const script = each.responses.map(({ row_keys = [], end_with_error }) => ({
      messages: [{ rows: row_keys }],
      ...(end_with_error === undefined ? {} : { endsWith: end_with_error }),
    }));
    const { clock, server, start } = await openScripted(script, { maxRetries: each.max_retries });
    // The failing case has no key in its responses, so any key is valid.
    const asked = keys.length > 0 ? keys : ['a', 'b'];
    const outcome = await settleWith(clock, start(asked).outcome, 1);
    // A read of the whole table resumes after the last received row.
    const wanted = each.request_options.map(({ rowKeys, rowRanges }) => {
      const after = rowRanges[0]?.startKeyOpen;
      return rowKeys.length > 0 ? rowKeys : asked.filter((key) => after === undefined || key > after);
    });
    expect(server.asked).toEqual(wanted);
    const read = new Set(each.row_keys_read.flat());
    const came = asked.filter((key) => read.has(key));
    expect(Object.keys(outcome.rows).filter((key) => outcome.rows[key] === key)).toEqual(came);
    expect(outcome.failed?.code).toBe(each.error === undefined ? undefined : 'deadline_exceeded');
    if (each.error !== undefined) expect(each.error).toBe(status.DEADLINE_EXCEEDED);
  }
});

describeWithRealData("Google's cases for ReadRows, over gRPC", READ_ROWS_CASES, () => {
  test.each(readRowsCases)('$description', async (each) => {
    const { address } = await startScriptedBigtable([{ messages: [{ chunks: each.chunks.map(wrapStrings) }] }]);
    const { channels } = await openKeyReads(address);
    const { rows, error } = await new Promise<{ rows: Row[]; error: unknown }>((resolve) => {
      const rows: Row[] = [];
      const request = { tableName: 'projects/p/instances/i/tables/t', rows: { rowKeys: [Buffer.from('RK')] } };
      openRowStream(channels, request, TIMEOUT_MS, {
        onRow: (row) => void rows.push(row),
        onScanned: () => {},
        onEnd: (error) => resolve({ rows, error }),
      });
    });
    expect(outcomeOf(rows, error !== undefined)).toEqual(expectedOutcome(each));
  });
});

/** JSON has wrapped strings as plain strings. Base64 bytes are used as they are. */
const wrapStrings = ({ familyName, qualifier, ...rest }: Record<string, unknown>): ScriptedChunk => ({
  ...rest,
  ...(familyName === undefined ? {} : { familyName: { value: familyName } }),
  ...(qualifier === undefined ? {} : { qualifier: { value: qualifier } }),
});
