// Lazily decoded MutateRows requests: the parts add up to the whole request.
import { protos } from '@google-cloud/bigtable-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MutateRowsRequest } from '../../../dev/bigtable/wire/messages.ts';
import { type BulkRequest, parseBulkRequest } from '../../../dev/bigtable/wire/mutate-rows-request.ts';
import { loadProtocol } from '../../../dev/bigtable/wire/protocol.ts';
import { fieldsOf, messageOf } from '../../../dev/bigtable/wire/request-fields.ts';

const { MutateRowsRequest: message } = protos.google.bigtable.v2;
const parse = loadProtocol().data.MutateRows?.requestDeserialize as (bytes: Buffer) => BulkRequest;

const bytes = (options: { maxLength: number }) =>
  fc.uint8Array(options).map((array) => Buffer.from(array.buffer, array.byteOffset, array.length));
const entry = fc.record({
  rowKey: bytes({ maxLength: 300 }),
  mutations: fc.array(
    fc.record({
      setCell: fc.record({
        familyName: fc.string({ maxLength: 5 }),
        columnQualifier: bytes({ maxLength: 20 }),
        timestampMicros: fc.maxSafeNat(),
        value: bytes({ maxLength: 40_000 }),
      }),
    }),
    { maxLength: 3 },
  ),
});
const request = fc.record({
  tableName: fc.string({ maxLength: 200 }),
  appProfileId: fc.string(),
  entries: fc.array(entry, { maxLength: 12 }),
});

describe('a MutateRows request', () => {
  test('has the sent entries in any split of its decoding', () => {
    fc.assert(
      fc.property(request, fc.integer({ min: 1, max: 12 }), (sent, step) => {
        const got = parse(Buffer.from(message.encode(sent).finish()));
        const entries: MutateRowsRequest['entries'] = [];
        for (let from = 0; from < got.entryCount; from += step) entries.push(...got.decodeEntries(from, from + step));
        expect([got.tableName, got.appProfileId]).toEqual([sent.tableName, sent.appProfileId]);
        expect(entries).toMatchObject(sent.entries);
      }),
      { numRuns: 200 },
    );
  });

  test('is the same with its fields in another order', () => {
    const sent = {
      tableName: 't',
      appProfileId: 'p',
      entries: ['a', 'b'].map((key) => ({ rowKey: Buffer.from(key) })),
    };
    const encoded = Buffer.from(message.encode(sent).finish());
    const got = parse(messageOf(encoded, fieldsOf(encoded).reverse()));
    expect([got.tableName, got.appProfileId, got.entryCount]).toEqual(['t', 'p', 2]);
    expect(got.decodeEntries(0, 2).map(({ rowKey }) => rowKey.toString())).toEqual(['b', 'a']);
  });

  test('is refused if it is truncated within a field', () => {
    const sent = { tableName: 'table', entries: [{ rowKey: Buffer.from('key') }] };
    const encoded = Buffer.from(message.encode(sent).finish());
    const ends = [0, ...fieldsOf(encoded).map(({ end }) => end)];
    for (let length = 0; length <= encoded.length; length++) {
      const cut = () =>
        parseBulkRequest(encoded.subarray(0, length), () => ({ tableName: '', appProfileId: '', entries: [] }));
      if (ends.includes(length)) expect(cut).not.toThrow();
      else expect(cut).toThrow('expected a whole message');
    }
  });

  test('with fields that are not known is read without them', () => {
    const encoded = Buffer.from(message.encode({ tableName: 't' }).finish());
    const unknown = Buffer.from([0x78, 0x96, 0x01, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(parse(Buffer.concat([unknown, encoded])).tableName).toBe('t');
  });
});
