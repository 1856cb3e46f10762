// A bulk writer on an instance of its own, and the cells to write with it.
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { BigtableOptions } from '../../../dev/bigtable/server.ts';
import { type BulkWriterOptions, type CellWrite, createBulkWriter } from '../../../ops/bigtable/writes/bulk-writer.ts';
import { readRows } from '../../../origin/bigtable/read-rows.ts';
import { MONDAY, startInstance, TIMEOUT_MS } from '../origin/instance.ts';

export async function startWriter(options: Partial<BulkWriterOptions> = {}, serverOptions: BigtableOptions = {}) {
  const { bigtable, server } = await startInstance(serverOptions);
  const clock = createManualClock();
  const writer = createBulkWriter(bigtable, {
    table: 'recommendations',
    family: 'l',
    qualifier: 'home/control',
    timestampMs: MONDAY,
    appProfile: 'ingest',
    clock,
    random: () => 0.5,
    ...options,
  });
  const stored = async () => {
    const call = { table: 'recommendations', appProfile: 'serve-us', rows: {}, filter: { passAllFilter: true } };
    return (await readRows(bigtable, { ...call, timeoutMs: TIMEOUT_MS })).flatMap(({ key, cells }) =>
      cells.map(({ family, qualifier, timestampMicros, value }) => ({
        rowKey: String(key),
        column: `${family}:${qualifier}`,
        atMs: timestampMicros / 1000,
        value: String(value),
      })),
    );
  };
  return { clock, server, stored, writer };
}

export const cells = (count: number, value = (i: number) => `value ${i}`): CellWrite[] =>
  Array.from({ length: count }, (_, i) => ({ rowKey: `k${String(i).padStart(6, '0')}`, value: value(i) }));

export const asStored = (written: readonly CellWrite[]) =>
  written.map((cell) => ({ ...cell, column: 'l:home/control', atMs: MONDAY }));

export async function writeAll(
  writer: ReturnType<typeof createBulkWriter>,
  written: readonly CellWrite[],
): Promise<void> {
  for (const cell of written) await writer.write(cell);
  await writer.flush();
}
