// All checks of the gate over one sample: bounds of the surface, accepted refusals, and the verdict. Pure.
import { CHECK_NAMES, CHECKS } from '../checks/all.ts';
import type { CheckInput, CheckRow } from '../checks/check.ts';

export interface GateSettings {
  /** The surface's own bounds by check. */
  readonly bounds?: Readonly<Record<string, number>> | undefined;
  /** Checks that may refuse. */
  readonly accepted: readonly string[];
  readonly why?: string | undefined;
}

export interface GateVerdict {
  readonly rows: readonly CheckRow[];
  readonly verdict: 'passed' | 'refused';
  /** One sentence for each row that refuses. */
  readonly reasons: readonly string[];
}

export const runChecks = (input: CheckInput, { bounds = {}, ...settings }: GateSettings): GateVerdict =>
  judge(
    CHECKS.map((check) => check.run(input, boundOf(check, bounds))),
    settings,
  );

const boundOf = ({ name, defaultBound }: (typeof CHECKS)[number], bounds: Readonly<Record<string, number>>): number =>
  Object.hasOwn(bounds, name) ? (bounds[name] ?? defaultBound) : defaultBound;

/** The verdict over `rows`, after accepted refusals. */
export function judge(rows: readonly CheckRow[], { accepted, why }: Omit<GateSettings, 'bounds'>): GateVerdict {
  const judged = rows.map((row) =>
    row.verdict === 'refused' && accepted.includes(row.check) ? accept(row, why ?? '') : row,
  );
  const refused = judged.filter(({ verdict }) => verdict === 'refused');
  return { rows: judged, verdict: refused.length === 0 ? 'passed' : 'refused', reasons: refused.map(describeRefusal) };
}

const accept = (row: CheckRow, why: string): CheckRow => ({
  ...row,
  verdict: 'accepted',
  detail: row.detail === undefined ? why : `${why} (${row.detail})`,
});

export function describeRefusal({ check, rule, detail, ...row }: CheckRow): string {
  const values = row.new === undefined ? '' : `expected ${rule}, got ${formatValue(row.new)}${besideLive(row.live)}`;
  return `${check}: ${[values, detail].filter((part) => part !== undefined && part !== '').join('; ')}`;
}

const besideLive = (live: number | undefined): string => (live === undefined ? '' : ` (live ${formatValue(live)})`);

/** At most four digits after the point. */
export const formatValue = (value: number): string => String(Number(value.toFixed(4)));

/** One note for each bound that no check has: another version of the command may know it. */
export const noteUnknownBounds = (bounds: Readonly<Record<string, number>> = {}): string[] =>
  Object.entries(bounds)
    .filter(([name]) => !CHECK_NAMES.includes(name))
    .map(([name, bound]) => `the bound ${name}=${bound} is ignored: no check has that name`);
