// The rows of one row group of Parquet, a window at a time. hyparquet decodes the pages; its own reader would assemble
// the lists of a whole group at once, which takes many times the memory of the pages. Levels are those of the Dremel
// paper (S. Melnik et al., "Dremel: Interactive Analysis of Web-Scale Datasets", 2010).
import {
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
import { assembleLists, assembleNested } from 'hyparquet/src/assemble.js';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, convertWithDictionary, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { isText, type Page, readTextPage, type Values } from './parquet-texts.ts';

type RowGroup = FileMetaData['row_groups'][number];
export type ColumnDecoder = Parameters<typeof convert>[1];
type Decoded = ReturnType<typeof convert>;
type PageHeader = ReturnType<typeof parquetHeader>;

interface Column {
  readonly path: string;
  /** The next `count` rows. Throws an Error if there are fewer. */
  take(count: number): unknown[];
}

/** Yields at most `rowsAtOnce` rows at a time. Throws an Error for a group that is cut or broken. */
export async function* readRows(
  file: AsyncBuffer,
  metadata: FileMetaData,
  group: RowGroup,
  { compressors, rowsAtOnce }: { readonly compressors: Compressors; readonly rowsAtOnce: number },
): AsyncGenerator<Record<string, unknown>[]> {
  const tree = parquetSchema(metadata);
  const columns: Column[] = [];
  for (const { meta_data: about } of group.columns) {
    if (about !== undefined) columns.push(await openColumn(file, tree, about, compressors));
  }
  const rows = Number(group.num_rows);
  for (let from = 0; from < rows; from += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - from);
    const leaves = new Map(columns.map(({ path, take }) => [path, take(count) as Decoded]));
    const fields = tree.children.map((child) => [child.element.name, assemble(child, leaves)] as const);
    yield Array.from({ length: count }, (_, i) => Object.fromEntries(fields.map(([name, all]) => [name, all[i]])));
  }
}

function assemble(child: SchemaTree, leaves: ReadonlyMap<string, Decoded>): Decoded {
  const { name } = child.element;
  const own = new Map([...leaves].filter(([path]) => path === name || path.startsWith(`${name}.`)));
  if (child.children.length > 0) assembleNested(own, child, DEFAULT_PARSERS);
  const all = own.get(name);
  if (all === undefined) throw new Error(`no column ${name}`);
  return all;
}

async function openColumn(
  file: AsyncBuffer,
  tree: SchemaTree,
  about: ColumnMetaData,
  compressors: Compressors,
): Promise<Column> {
  const { path_in_schema: pathInSchema, dictionary_page_offset: dictionaryAt, data_page_offset: dataAt } = about;
  const schemaPath = getTreePath(tree, pathInSchema);
  const element = schemaPath.at(-1)?.element;
  if (element === undefined) throw new Error(`no column ${pathInSchema.join('.')}`);
  const decoder = { ...about, pathInSchema, schemaPath, element, compressors, parsers: DEFAULT_PARSERS };
  const start = Number(dictionaryAt || dataAt);
  const bytes = await file.slice(start, start + Number(about.total_compressed_size));
  return {
    path: pathInSchema.join('.'),
    take: createTake(readPages(bytes, decoder, Number(about.num_values)), decoder),
  };
}

/** The pages of a column, one after the other. */
function* readPages(bytes: ArrayBuffer, decoder: ColumnDecoder, numValues: number): Generator<Page> {
  const reader = { view: new DataView(bytes), offset: 0 };
  let dictionary: Decoded | undefined;
  for (let seen = 0; seen < numValues; ) {
    const header = parquetHeader(reader);
    const packed = new Uint8Array(bytes, reader.offset, header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    if (header.type === 'DICTIONARY_PAGE') {
      dictionary = readDictionary(packed, header, decoder);
      continue;
    }
    const page = readPage(packed, header, decoder, dictionary);
    seen += header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? numValues;
    yield page;
  }
}

function readDictionary(packed: Uint8Array, header: PageHeader, decoder: ColumnDecoder): Decoded {
  const { type, element, codec, compressors } = decoder;
  const page = decompressPage(packed, header.uncompressed_page_size, codec, compressors);
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 };
  const count = header.dictionary_page_header?.num_values ?? 0;
  return convert(readPlain(reader, type, count, element.type_length), decoder);
}

function readPage(
  packed: Uint8Array,
  header: PageHeader,
  decoder: ColumnDecoder,
  dictionary: Decoded | undefined,
): Page {
  const { data_page_header: v1, data_page_header_v2: v2, uncompressed_page_size: length } = header;
  const encoding = (v1 ?? v2)?.encoding;
  if (encoding === undefined) throw new Error(`a page of type ${header.type}`);
  const bytes = v1 && decompressPage(packed, length, decoder.codec, decoder.compressors);
  if (v1 !== undefined && bytes !== undefined && isText(decoder, v1)) return readTextPage(bytes, v1, decoder);
  const read = v1 && bytes ? readDataPage(bytes, v1, decoder) : readDataPageV2(packed, header, decoder);
  return {
    definition: read.definitionLevels ?? [],
    repetition: read.repetitionLevels,
    values: convertWithDictionary(read.dataPage, dictionary, encoding, decoder),
  };
}

/** Takes rows from pages. A row of a list may go on in the next page. */
export function createTake(pages: Iterator<Page>, { schemaPath, pathInSchema }: ColumnDecoder): Column['take'] {
  const maxDefinition = getMaxDefinitionLevel(schemaPath);
  let page: Page = { definition: [], repetition: [], values: [] };
  let next = pages.next();
  /** Position of the first entry of each row of `page`. Undefined: each entry is a row. */
  let starts: readonly number[] | undefined = [];
  /** The first row, and the first value, that was not taken. */
  let row = 0;
  let valueAt = 0;

  const entriesOf = ({ definition, repetition, values }: Page): number =>
    definition.length || repetition.length || values.length;
  const startOf = (at: number): number => (starts === undefined ? at : (starts[at] ?? entriesOf(page)));
  const rowsIn = (): number => starts?.length ?? entriesOf(page);
  /** The last row of a page of lists is complete once the next page begins with a row, or there is none. */
  const complete = (): number => (starts === undefined || next.done ? rowsIn() : Math.max(row, rowsIn() - 1));

  function load(): void {
    if (next.done) throw new Error(`too few rows in the column ${pathInSchema.join('.')}`);
    const from = startOf(row);
    const { definition, repetition, values } = next.value;
    page = {
      definition: joined(page.definition.slice(from), definition),
      repetition: joined(page.repetition.slice(from), repetition),
      values: chain(Array.from(page.values.slice(valueAt)), values),
    };
    starts = page.repetition.length === 0 ? undefined : findStarts(page.repetition);
    row = 0;
    valueAt = 0;
    next = pages.next();
  }

  return (count) => {
    const all: unknown[] = [];
    while (all.length < count) {
      const end = Math.min(complete(), row + count - all.length);
      if (end <= row) {
        load();
        continue;
      }
      const [from, to] = [startOf(row), startOf(end)];
      const definition = page.definition.slice(from, to);
      const used = definition.length === 0 ? to - from : countOf(definition, maxDefinition);
      const values = page.values.slice(valueAt, valueAt + used) as Decoded;
      const rows = assembleLists([], definition, page.repetition.slice(from, to), values, schemaPath);
      for (const each of rows) all.push(each);
      row = end;
      valueAt += used;
    }
    return all;
  };
}

/** Level 0 begins a row. */
function findStarts(repetition: readonly number[]): number[] {
  const starts: number[] = [];
  for (let i = 0; i < repetition.length; i++) if (repetition[i] === 0) starts.push(i);
  return starts;
}

function countOf(levels: readonly number[], wanted: number): number {
  let count = 0;
  for (let i = 0; i < levels.length; i++) if (levels[i] === wanted) count++;
  return count;
}

/** A copy is made only if both have entries. */
const joined = <T>(tail: readonly T[], more: readonly T[]): readonly T[] =>
  tail.length === 0 ? more : [...tail, ...more];

function chain(tail: readonly unknown[], more: Values): Values {
  if (tail.length === 0) return more;
  return {
    length: tail.length + more.length,
    slice: (from, to = Number.POSITIVE_INFINITY) => {
      const rest = more.slice(Math.max(0, from - tail.length), Math.max(0, to - tail.length));
      return from < tail.length ? [...tail.slice(from, to), ...Array.from(rest)] : rest;
    },
  };
}
