// The stream decoder of grpc-js after the read channels are loaded.
import '../../../../../origin/bigtable/reads/channels.ts';
import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** A message on the wire: not compressed, 4 bytes of length, the message. In a buffer of its own. */
function frame(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

const holds = (decoder: StreamDecoder, { buffer }: Buffer): boolean =>
  Object.values(decoder)
    .flat()
    .some((value) => Buffer.isBuffer(value) && value.buffer === buffer);

test('holds nothing of a message that it has handed out', () => {
  const decoder = new StreamDecoder(-1);
  const bytes = frame(Buffer.alloc(1000, 7));
  expect(decoder.write(bytes)).toEqual([bytes]);
  expect(holds(decoder, bytes)).toBe(false);
});

test('holds what has come of a message until it is whole', () => {
  const decoder = new StreamDecoder(-1);
  const bytes = frame(Buffer.alloc(1000, 7));
  expect(decoder.write(bytes.subarray(0, 600))).toEqual([]);
  expect(holds(decoder, bytes)).toBe(true);
  expect(decoder.write(bytes.subarray(600))).toEqual([bytes]);
  expect(holds(decoder, bytes)).toBe(false);
});

test('hands out the messages that were sent, however they are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.array(fc.integer({ min: 1, max: 50 })), (sent, cuts) => {
      const decoder = new StreamDecoder(-1);
      const frames = sent.map(frame);
      const received: Buffer[] = [];
      let rest = Buffer.concat(frames);
      for (let cut = 0; rest.length > 0; cut++) {
        const length = cuts[cut] ?? rest.length;
        received.push(...decoder.write(rest.subarray(0, length)));
        rest = rest.subarray(length);
      }
      expect(received).toEqual(frames);
    }),
  );
});
