import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, encodeUtf8 } from '../../../../shared/runtime/bytes.ts';
import {
  decodeListFrames,
  encodeListFrames,
  type ListResult,
  listFramesText,
} from '../../../../shared/wire/read-response.ts';

const ages = { ageMs: fc.integer({ min: 1, max: 1e9 }), itemsAgeMs: fc.integer({ min: 1, max: 1e9 }) };

const result: fc.Arbitrary<ListResult> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('list' as const),
      // Any bytes, newlines and braces included: only the length marks the end of a list.
      bytes: fc.uint8Array({ maxLength: 300 }),
      generation: fc.integer({ min: 1, max: 253_402_300_799_999 }),
      digest: fc.stringMatching(/^[\w-]{16}$/),
      ...ages,
    },
    { requiredKeys: ['kind', 'bytes', 'generation', 'digest'] },
  ),
  fc.record({ kind: fc.constant('absent' as const), ...ages }, { requiredKeys: ['kind'] }),
  fc
    .constantFrom('unavailable' as const, 'deadline_exceeded' as const)
    .map((code) => ({ kind: 'error' as const, code })),
);

const list = (text: string): ListResult => ({ kind: 'list', bytes: encodeUtf8(text), generation: 1, digest: 'd' });

describe('list frames', () => {
  test('come back as they were sent', () => {
    fc.assert(
      fc.property(fc.array(result, { maxLength: 20 }), (results) => {
        const back = decodeListFrames(encodeListFrames(results), results.length);
        expect(back.map(copyBytes)).toEqual(results.map(copyBytes));
      }),
    );
  });

  test('are the same bytes as text', () => {
    const latin1Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
    fc.assert(
      fc.property(fc.array(result, { maxLength: 20 }), (results) => {
        expect(listFramesText(results, latin1Of)).toBe(latin1Of(encodeListFrames(results)));
      }),
    );
  });

  test('are refused wherever they are cut short', () => {
    const body = encodeListFrames([list('{"id":"a"}'), { kind: 'absent' }, list('{"id":"b"}')]);
    for (let length = 0; length < body.length; length++) {
      expect(() => decodeListFrames(body.subarray(0, length), 3), `cut after ${length} bytes`).toThrow();
    }
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'hello\n'],
    ['null', 'null\n'],
    ['no kind', '{"code":"internal"}\n'],
    ['a longer body of another kind than there is', '{"kind":"other","bytes":9}\n12345678'],
    ['a negative length', '{"kind":"list","generation":1,"digest":"d","bytes":-1}\n'],
    ['a length that is no number', '{"kind":"list","generation":1,"digest":"d","bytes":"5"}\n12345'],
    ['an age that is no number', '{"kind":"list","generation":1,"digest":"d","bytes":0,"ageMs":"5"}\n'],
    ['an age below 0', '{"kind":"list","generation":1,"digest":"d","bytes":0,"ageMs":-5}\n'],
    ['a digest that could end a header', '{"kind":"list","generation":1,"digest":"a\\"b","bytes":0}\n'],
    ['one frame too many', '{"kind":"absent"}\n{"kind":"absent"}\n'],
  ])('are refused with %s', (_what, text) => {
    expect(() => decodeListFrames(encodeUtf8(text), 1)).toThrow();
  });

  test('are refused when bytes follow the last', () => {
    expect(() => decodeListFrames(concatBytes([encodeListFrames([list('x')]), encodeUtf8('y')]), 1)).toThrow();
  });
});

const copyBytes = (each: ListResult): unknown => (each.kind === 'list' ? { ...each, bytes: [...each.bytes] } : each);
