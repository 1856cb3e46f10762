// The checkpoints of a load: they only go forward, also while a load that goes on reads the lines of before.
import { expect, test } from 'vitest';
import { checksumOf } from '../../../../ops/bigtable/checksum.ts';
import type { CellWrite } from '../../../../ops/bigtable/writes/bulk-writer.ts';
import { loadFiles } from '../../../../ops/ingest/load-files.ts';
import { createSummary } from '../../../../ops/ingest/summary.ts';

const USERS = ['u:1', 'u:2', 'u:3', 'u:4', 'u:5', 'u:6'];

/** A load of one line a chunk, the first two in one. Each cell is stored at once. */
async function load(resumeFrom?: { lines: number; digest: number; file: string; line: number }) {
  const written: CellWrite[] = [];
  const notes: { lines: number; digest: number }[] = [];
  async function* open() {
    for (const user of USERS) yield Buffer.from(`${user}\n`);
  }
  await loadFiles({
    sources: [{ name: 'lists', shortName: 'lists', size: 0, open }],
    form: { kind: 'lists', family: 'l', qualifier: 'home/control', timestampMicros: 1 },
    parse: (id) => ({ id, cell: { rowKey: id, value: 'list' } }),
    rejects: { add: async () => undefined, count: () => 0, close: async () => undefined, path: '' },
    progress: { start: () => undefined, addBytes: () => undefined, setCounts: () => undefined, stop: () => undefined },
    summary: createSummary(),
    writer: {
      ...{ accepted: () => written.length, stored: () => written.length, stop: async () => true },
      ...{ flush: async () => undefined, write: (cell) => void written.push(cell) },
    },
    onStored: ({ lines, digest }) => notes.push({ lines, digest }),
    ...(resumeFrom === undefined ? {} : { resumeFrom }),
  });
  return { notes, written: written.map(({ rowKey }) => rowKey) };
}

const digestOf = (lines: number): number =>
  USERS.slice(0, lines).reduce((sum, user) => (Math.imul(sum, 31) + checksumOf(user, 'list')[1]) >>> 0, 0);

test('a checkpoint has the lines whose cells are stored, and a checksum of them', async () => {
  const { notes, written } = await load();
  expect(written).toEqual(USERS);
  expect(notes).toEqual([2, 3, 4, 5].map((lines) => ({ lines, digest: digestOf(lines) })));
});

test('a load that goes on writes the lines behind the checkpoint, and notes none before it', async () => {
  const { notes, written } = await load({ lines: 3, digest: digestOf(3), file: 'lists', line: 3 });
  expect(written).toEqual(['u:4', 'u:5', 'u:6']);
  expect(notes.map(({ lines }) => lines)).toEqual([4, 5]);
});
