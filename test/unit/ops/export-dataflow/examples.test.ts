// The examples of docs/loading.md: each format gives the same cells, and the schemas are those that commands write.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BIGTABLE_ROW_SCHEMA, LIST_SCHEMA } from '../../../../ops/files/schemas.ts';
import { readAccepted } from '../../../../ops/ingest/accepted-lines.ts';
import { findInputs } from '../../../../ops/ingest/inputs/find-inputs.ts';
import { parseListLine } from '../../../../ops/ingest/line/list-line.ts';
import { makeRowKey } from '../../../../shared/domain/keys.ts';

const directory = join(import.meta.dirname, '../../../../examples/loading');

const form = {
  kind: 'lists',
  family: 'l',
  qualifier: 'home/control',
  timestampMicros: Date.UTC(2026, 10, 29, 3) * 1_000,
} as const;

async function cellsOf(name: string): Promise<unknown[]> {
  const rejects = {
    add: async ({ reason }: { reason: string }) => {
      throw new Error(reason);
    },
  };
  const parse = (text: string) => {
    const { user, value } = parseListLine(text);
    return { id: user, cell: { rowKey: makeRowKey(user), value } };
  };
  const sources = await findInputs([join(directory, name)]);
  const cells: unknown[] = [];
  for await (const lines of readAccepted({ sources, form, parse, rejects, onBytes: () => undefined }))
    cells.push(...lines);
  return cells;
}

test.each(['home.control.avro', 'home.control.parquet', 'rows'])(
  '%s has the lists of the lines of JSON',
  async (name) => {
    const cells = await cellsOf('home.control.ndjson');
    expect(cells).toHaveLength(3);
    expect(await cellsOf(name)).toEqual(cells);
  },
);

test.each([
  ['list.avsc', LIST_SCHEMA],
  ['bigtable-row.avsc', BIGTABLE_ROW_SCHEMA],
])('%s is the schema of the files', (name, schema) => {
  expect(JSON.parse(readFileSync(join(directory, name), 'utf8'))).toEqual(schema);
});
