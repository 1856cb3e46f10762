// The table of the gate as text.
import { formatPlural, formatTable } from '../../cli/format.ts';
import type { GateTable } from './check-release.ts';
import { formatValue } from './run-checks.ts';

/** Several lines, each with a newline. */
export function describeTable({ release, live, sampled, rows, verdict, reasons, notes }: GateTable): string {
  const users = formatPlural(sampled.users, 'user');
  const against = live === undefined ? 'no live release' : `the live ${live}`;
  const cells = rows.map((row) => [row.check, show(row.live), show(row.new), row.rule, row.verdict, row.detail ?? '']);
  const end = verdict === 'passed' ? 'passed' : `refused by ${formatPlural(reasons.length, 'check')}`;
  return [
    `${release} against ${against}, ${users} sampled in ${sampled.regions.join(', ')}\n`,
    formatTable([['check', 'live', 'new', 'bound', 'verdict', ''], ...cells]),
    ...notes.map((note) => `note: ${note}\n`),
    `${end}\n`,
  ].join('');
}

const show = (value: number | undefined): string => (value === undefined ? '-' : formatValue(value));
