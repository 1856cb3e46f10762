// Avro files of Bigtable rows with a bounded number of rows each. Either all of them are there at the end, or none.
import { createAvroFile } from '../files/avro-file.ts';
import { createOutput } from '../files/output.ts';
import type { RecordFile } from '../files/record-file.ts';
import { BIGTABLE_ROW_SCHEMA } from '../files/schemas.ts';
import type { Target } from './target.ts';

export interface Column {
  readonly family: string;
  readonly qualifier: string;
  /** Microseconds since the epoch. */
  readonly timestampMicros: number;
}

export interface RowFiles {
  add(rowKey: string, value: string): Promise<void>;
  /** Completes the last file. Resolves with the number of files. */
  end(): Promise<number>;
  /** Deletes all files. Resolves with those that cannot be deleted. */
  abandon(): Promise<readonly string[]>;
}

export function createRowFiles(target: Target, { family, qualifier, ...column }: Column, maxRows: number): RowFiles {
  /** Whole files. Another one of these names is that of another export. */
  const paths: string[] = [];
  let file: RecordFile | undefined;
  let rows = 0;

  async function next(): Promise<RecordFile> {
    const output = await createOutput(target.pathOf(paths.length), { isNew: true });
    try {
      file = await createAvroFile(output, BIGTABLE_ROW_SCHEMA);
    } catch (error) {
      await output.abandon();
      throw error;
    }
    rows = 0;
    return file;
  }

  async function complete(): Promise<void> {
    if (file === undefined) return;
    await file.end();
    paths.push(target.pathOf(paths.length));
    file = undefined;
  }

  return {
    add: async (rowKey, value) => {
      const open = file ?? (await next());
      await open.add(toRow({ family, qualifier, ...column }, rowKey, value));
      if (++rows === maxRows) await complete();
    },
    end: async () => {
      await complete();
      return paths.length;
    },
    abandon: async () => {
      const left: string[] = [];
      const attempt = (path: string, work: () => Promise<void>) => work().catch(() => void left.push(path));
      await attempt(target.pathOf(paths.length), async () => file?.abandon());
      for (const path of paths) await attempt(path, () => target.remove(path));
      return left;
    },
  };
}

const toRow = ({ family, qualifier, timestampMicros }: Column, rowKey: string, value: string): object => ({
  key: Buffer.from(rowKey),
  cells: [{ family, qualifier: Buffer.from(qualifier), timestamp: timestampMicros, value: Buffer.from(value) }],
});
