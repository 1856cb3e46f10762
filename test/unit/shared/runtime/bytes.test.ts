import { expect, test } from 'vitest';
import {
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  interleaveBytes,
  surroundBytes,
} from '../../../../shared/runtime/bytes.ts';

const bytes = (...values: number[]) => new Uint8Array(values);

test('parts are joined in order', () => {
  expect(concatBytes([bytes(1, 2), bytes(), bytes(3)])).toEqual(bytes(1, 2, 3));
  expect(concatBytes([])).toEqual(bytes());
});

test('bytes are surrounded by ASCII text, and stay what they are', () => {
  expect(surroundBytes('{"a":', bytes(0, 255), ']}')).toEqual(
    concatBytes([encodeUtf8('{"a":'), bytes(0, 255), encodeUtf8(']}')]),
  );
  expect(surroundBytes('', bytes(), '')).toEqual(bytes());
});

test.each([
  ['ASCII', ['a', 'bc', '']],
  ['text beyond ASCII', ['é', '日本', '😀x']],
])('texts of %s are set between parts', (_, texts) => {
  const parts = [bytes(0, 255), bytes(128)];
  const [a = '', b = '', c = ''] = texts;
  expect(interleaveBytes(texts, parts)).toEqual(
    concatBytes([encodeUtf8(a), bytes(0, 255), encodeUtf8(b), bytes(128), encodeUtf8(c)]),
  );
  expect(decodeUtf8(interleaveBytes([texts.join('')], []))).toBe(texts.join(''));
});
