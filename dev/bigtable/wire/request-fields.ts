// The fields of an encoded message, without decoding them: some of a message's fields are a message of its type again,
// so one that is long can be decoded piece by piece. Source: protobuf.dev, "Encoding".

export interface EncodedField {
  readonly number: number;
  /** Of the field with its tag, in the message. */
  readonly start: number;
  readonly end: number;
}

const WIRE_TYPES = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

/** In the order in which they stand. Throws an Error for what is no message. */
export function fieldsOf(message: Buffer): EncodedField[] {
  const fields: EncodedField[] = [];
  let at = 0;

  /** Up to 2^53, which is beyond all lengths and tags. */
  function readVarint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined || scale > 2 ** 63) throw new Error('expected a whole message, got one that is cut off');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  function skip(wireType: number): void {
    if (wireType === WIRE_TYPES.varint) readVarint();
    else if (wireType === WIRE_TYPES.fixed64) at += 8;
    else if (wireType === WIRE_TYPES.fixed32) at += 4;
    else if (wireType === WIRE_TYPES.delimited) {
      const length = readVarint();
      at += length;
    } else throw new Error(`expected a field of a known wire type, got ${wireType}`);
    if (at > message.length) throw new Error('expected a whole message, got one that is cut off');
  }

  while (at < message.length) {
    const start = at;
    const tag = readVarint();
    skip(tag % 8);
    fields.push({ number: Math.floor(tag / 8), start, end: at });
  }
  return fields;
}

/** The message that has these fields of another. */
export const messageOf = (message: Buffer, fields: readonly EncodedField[]): Buffer =>
  Buffer.concat(fields.map(({ start, end }) => message.subarray(start, end)));
