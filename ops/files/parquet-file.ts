// Parquet files of lists, in row groups that a reader has in memory one at a time.
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { OutputFile } from './output.ts';
import type { RecordFile } from './record-file.ts';

const GROUP_ROWS = 10_000;

const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' } as const;
/** A user, and a list of structs in the form of three levels (parquet-format, "LogicalTypes", Lists). */
export const LISTS: SchemaElement[] = [
  { name: 'root', num_children: 2 },
  { name: 'user', ...text },
  { name: 'items', repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', repetition_type: 'REQUIRED', num_children: 2 },
  { name: 'id', ...text },
  { name: 'score', type: 'DOUBLE', repetition_type: 'REQUIRED' },
];

interface ListRecord {
  readonly user: string;
  readonly items: readonly { readonly id: string; readonly score: number }[];
}

/** Files of lists, packed by Snappy. */
export function createParquetFile(output: OutputFile): RecordFile {
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: LISTS });
  let rows: ListRecord[] = [];

  async function flush(): Promise<void> {
    if (rows.length > 0) {
      const columnData = [
        { name: 'user', data: rows.map(({ user }) => user) },
        { name: 'items', data: rows.map(({ items }) => items) },
      ];
      await file.write({ columnData, rowGroupSize: GROUP_ROWS });
      rows = [];
    }
    await output.write(Buffer.from(writer.getBytes()));
    // The offset of the file goes on; the buffer is used again.
    writer.index = 0;
  }

  return {
    add: async (record) => {
      rows.push(record as ListRecord);
      if (rows.length >= GROUP_ROWS) await flush();
    },
    end: async () => {
      await flush();
      await file.finish();
      await flush();
      await output.end();
    },
    abandon: output.abandon,
  };
}
