// The control table that a command works on: the connection of its flags, the app profile, and the bound on retries.
import { hostname, userInfo } from 'node:os';
import { Option } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import type { Retries } from '../bigtable/retry.ts';
import { formatDuration } from './format.ts';
import { type ConnectionFlags, withConnection } from './settings.ts';
import { UsageError } from './usage-error.ts';

export interface ControlFlags extends ConnectionFlags {
  readonly controlProfile?: string;
}

export const controlProfileOption = (): Option =>
  new Option(
    '--control-profile <id>',
    'app profile of the control table, for example `control-europe` while the write cluster is gone',
  )
    .env('EARSHOT_CONTROL_PROFILE')
    .default(APP_PROFILES.control);

/** Runs `work` with the control table, and closes the connection afterwards. */
export async function withControl<T>(flags: ControlFlags, work: (control: ControlTable) => Promise<T>): Promise<T> {
  const retries = makeRetries();
  return withConnection(flags, (bigtable) =>
    work({ bigtable, appProfile: flags.controlProfile ?? APP_PROFILES.control, retries }),
  );
}

const DEFAULT_RETRY_MS = 20_000;
const MAX_RETRY_MS = 3_600_000;

/** Throws a UsageError for a wrong EARSHOT_RETRY_MS. Tells the first failure on standard error. */
export function makeRetries(): Retries {
  const totalMs = readRetryMs(process.env.EARSHOT_RETRY_MS);
  return {
    clock: systemClock,
    random: Math.random,
    totalMs,
    onRetry: ({ message }) => {
      process.stderr.write(`note: ${message}; trying again for up to ${formatDuration(totalMs)}\n`);
    },
  };
}

function readRetryMs(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_RETRY_MS;
  if (/^\d{1,7}$/.test(text) && Number(text) <= MAX_RETRY_MS) return Number(text);
  throw new UsageError(
    `expected EARSHOT_RETRY_MS to be whole milliseconds from 0 to ${MAX_RETRY_MS}, got ${JSON.stringify(text)}`,
  );
}

/** The author of a change: `user@host`. A container may have no user of that number. */
export function author(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return `${process.getuid?.() ?? 'unknown'}@${hostname()}`;
  }
}
