// Texts of a page of Parquet (BYTE_ARRAY, encoding PLAIN): each has four bytes of length before it. They are made when
// they are taken. hyparquet makes an object for each at once, which costs more memory than all else of a page.
import { readDataPage } from 'hyparquet/src/datapage.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';

type ColumnDecoder = Parameters<typeof readDataPage>[2];
type DataPageHeader = Parameters<typeof readDataPage>[1];

/** Decoded values of a page; those of a library's array, or texts that are still bytes. */
export interface Values {
  readonly length: number;
  slice(from: number, to?: number): ArrayLike<unknown>;
}

/** A decoded page. */
export interface Page {
  /** Empty for values that cannot be null. */
  readonly definition: readonly number[];
  /** Empty for values that cannot repeat. */
  readonly repetition: readonly number[];
  readonly values: Values;
}

export const isText = ({ type, element }: ColumnDecoder, { encoding }: DataPageHeader): boolean =>
  type === 'BYTE_ARRAY' &&
  encoding === 'PLAIN' &&
  (element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING');

/** `bytes`: an unpacked page of version 1. Throws an Error for one that is cut. */
export function readTextPage(bytes: Uint8Array, header: DataPageHeader, decoder: ColumnDecoder): Page {
  // The levels come before the values. As BOOLEAN the values cost a bit each.
  const { definitionLevels, repetitionLevels } = readDataPage(bytes, header, { ...decoder, type: 'BOOLEAN' });
  const start = levelBytes(bytes, decoder);
  const definition = definitionLevels ?? [];
  const max = getMaxDefinitionLevel(decoder.schemaPath);
  const nulls = definition.reduce((count, level) => count + (level === max ? 0 : 1), 0);
  const values = createTexts(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    start,
    header.num_values - nulls,
  );
  return { definition, repetition: repetitionLevels, values };
}

/** Bytes of both kinds of levels. Each has four bytes of length before it, and none where there is only one level. */
function levelBytes(bytes: Uint8Array, { schemaPath }: ColumnDecoder): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (const max of [getMaxRepetitionLevel(schemaPath), getMaxDefinitionLevel(schemaPath)])
    if (max > 0) at += 4 + view.getUint32(at, true);
  return at;
}

function createTexts(bytes: Buffer, start: number, count: number): Values {
  const ends = new Uint32Array(count);
  let at = start;
  for (let i = 0; i < count; i++) {
    at += 4 + bytes.readUInt32LE(at);
    ends[i] = at;
  }
  if (at > bytes.length) throw new Error(`a page that ends ${at - bytes.length} bytes early`);
  const textAt = (i: number): string => bytes.toString('utf8', (i === 0 ? start : (ends[i - 1] ?? 0)) + 4, ends[i]);
  return {
    length: count,
    slice: (from, to = count) => Array.from({ length: Math.max(0, to - from) }, (_, i) => textAt(from + i)),
  };
}
