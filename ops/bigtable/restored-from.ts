// The backup that the tables of an instance were restored from, as Bigtable names it.
import type { protos } from '@google-cloud/bigtable';
import { toTableError } from '../../origin/bigtable/bigtable-error.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

export interface Backup {
  /** Resource name, or the moment for tables that were restored by other means. */
  readonly name: string;
  /** Erasures that ended later are not in it. */
  readonly takenAtMs: number;
}

const RESTORED = [TABLES.recommendations, TABLES.items, TABLES.control];

/**
 * The earliest backup of the tables. `givenMs` replaces it. Throws an Error if Bigtable names none, or an EarshotError.
 */
export async function findBackup(control: ControlTable, givenMs: number | undefined): Promise<Backup> {
  const backups = await Promise.all(RESTORED.map((table) => readBackup(control, table)));
  if (givenMs !== undefined) return { name: `at ${new Date(givenMs).toISOString()}`, takenAtMs: givenMs };
  const missing = RESTORED.filter((_, i) => backups[i] === undefined);
  if (missing.length > 0)
    throw new Error(
      `expected tables that were restored from backups, got others: ${missing.join(', ')}. If they were restored by other means, give the moment of the earliest backup: --taken-at`,
    );
  const found = backups.flatMap((backup) => backup ?? []);
  return found.reduce((earliest, each) => (each.takenAtMs < earliest.takenAtMs ? each : earliest));
}

async function readBackup({ bigtable, retries }: ControlTable, table: string): Promise<Backup | undefined> {
  const { restoreInfo } = await withRetries(retries, async (timeout) => {
    try {
      const request = { name: bigtable.tableName(table), view: 'FULL' as const };
      const [found] = await (await bigtable.tableAdmin()).getTable(request, { timeout, retry: null });
      return found;
    } catch (error) {
      throw toTableError(error, `reading the table ${table}`);
    }
  });
  const { backup, startTime } = restoreInfo?.backupInfo ?? {};
  return backup && startTime ? { name: backup, takenAtMs: toMs(startTime) } : undefined;
}

const toMs = ({ seconds, nanos }: protos.google.protobuf.ITimestamp): number =>
  Number(seconds) * 1000 + Math.floor((nanos ?? 0) / 1_000_000);
