// The word of a check command as a row of the table. It can be accepted as a check.
import type { CheckRow } from '../checks/check.ts';
import type { CommandVerdict } from '../verdict-command.ts';

export const CHECK_COMMAND = 'check-command';

export const toCommandRow = (word: CommandVerdict): CheckRow => ({
  check: CHECK_COMMAND,
  live: undefined,
  new: undefined,
  bound: 0,
  rule: 'proceed',
  ...(word.verdict === 'proceed' ? { verdict: 'pass' } : { verdict: 'refused', detail: word.reason }),
});
