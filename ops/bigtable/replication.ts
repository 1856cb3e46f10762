// Whether what was written has reached every cluster. A list published before it has would be read as the one before it
// in a region that lags, and be cached there under the new generation's key.

import { toTableError } from '../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

const POLL_MS = 500;
const CALL_TIMEOUT_MS = 10_000;

/**
 * Resolves once everything written to `table` before the call is in every cluster. Throws an EarshotError after
 * `timeoutMs`.
 */
export async function waitForReplication(
  bigtable: BigtableConnection,
  table: string,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
): Promise<void> {
  const name = bigtable.tableName(table);
  const options = { timeout: CALL_TIMEOUT_MS };
  const untilMs = clock.now() + timeoutMs;
  try {
    const tableAdmin = await bigtable.tableAdmin();
    const [{ consistencyToken }] = await tableAdmin.generateConsistencyToken({ name }, options);
    while (true) {
      const [{ consistent }] = await tableAdmin.checkConsistency(
        { name, consistencyToken: consistencyToken ?? '' },
        options,
      );
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
