// Waits until writes have reached every cluster. Otherwise a lagging region would serve the previous list, and cache it
// under the key of the new generation.
import { toTableError } from '../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { type Retries, withRetries } from './retry.ts';

const POLL_MS = 500;

interface ReplicationWait {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Retries of each call. Default: none. */
  readonly retries?: Retries;
}

/**
 * Resolves when every cluster has all writes to `table` from before the call. Throws an EarshotError after `timeoutMs`.
 */
export async function waitForReplication(
  bigtable: BigtableConnection,
  table: string,
  { clock, timeoutMs, retries = { clock, random: Math.random, totalMs: 0 } }: ReplicationWait,
): Promise<void> {
  const name = bigtable.tableName(table);
  const untilMs = clock.now() + timeoutMs;
  try {
    const tableAdmin = await bigtable.tableAdmin();
    const consistencyToken = await withRetries(retries, async (timeout) => {
      const [answer] = await tableAdmin.generateConsistencyToken({ name }, { timeout });
      return answer.consistencyToken ?? '';
    });
    while (true) {
      const consistent = await withRetries(retries, async (timeout) => {
        const [answer] = await tableAdmin.checkConsistency({ name, consistencyToken }, { timeout });
        return answer.consistent;
      });
      if (consistent) return;
      if (clock.now() >= untilMs) {
        throw new EarshotError(
          'deadline_exceeded',
          'table',
          `table ${table} has not reached every cluster within ${timeoutMs} ms`,
        );
      }
      await pause(clock, POLL_MS);
    }
  } catch (error) {
    throw toTableError(error, `asking whether table ${table} has reached every cluster`);
  }
}
