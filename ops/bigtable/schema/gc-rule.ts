// Rules of garbage collection: their words, and their comparison. Bigtable answers a rule with members that were not
// set, ages as text, and the parts of a union in any order.
import type { protos } from '@google-cloud/bigtable';

export type GcRule = protos.google.bigtable.admin.v2.IGcRule;

const DAY_SECONDS = 86_400;

/** A cell is collected if it is not among the newest `versions` of its column, or older than `days`. */
export const keepNewest = (versions: number, days?: number): GcRule =>
  days === undefined
    ? { maxNumVersions: versions }
    : { union: { rules: [{ maxNumVersions: versions }, { maxAge: { seconds: days * DAY_SECONDS } }] } };

/** `newest 6 versions, none older than 30 days`. Equal rules have equal words. */
export function describeGcRule(rule: GcRule | null | undefined): string {
  if (rule?.union != null) return describeParts(rule.union, ', ');
  if (rule?.intersection != null) return `(${describeParts(rule.intersection, ' or ')})`;
  if (rule?.maxNumVersions) return `newest ${plural(rule.maxNumVersions, 'version')}`;
  if (rule?.maxAge != null) return `none older than ${describeAge(rule.maxAge)}`;
  return 'every version';
}

export const isSameRule = (a: GcRule | null | undefined, b: GcRule | null | undefined): boolean =>
  describeGcRule(a) === describeGcRule(b);

function describeParts({ rules }: { rules?: GcRule[] | null }, separator: string): string {
  return [...new Set((rules ?? []).map(describeGcRule))].sort().join(separator);
}

type Age = NonNullable<GcRule['maxAge']>;

const secondsOf = ({ seconds, nanos }: Age): number => Number(seconds ?? 0) + (nanos ?? 0) / 1e9;

function describeAge(age: Age): string {
  const total = secondsOf(age);
  return total % DAY_SECONDS === 0 ? plural(total / DAY_SECONDS, 'day') : `${total} s`;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Collects the cells that are both behind the newest `versions` and older than `seconds`. */
interface Corner {
  readonly versions: number;
  readonly seconds: number;
}

/** A rule as a union of corners. */
function cornersOf(rule: GcRule | null | undefined): Corner[] {
  if (rule?.union != null) return (rule.union.rules ?? []).flatMap(cornersOf);
  if (rule?.intersection != null) {
    const parts = (rule.intersection.rules ?? []).map(cornersOf);
    return parts.reduce<Corner[]>((all, part) => all.flatMap((a) => part.map((b) => meet(a, b))), [EVERY_CELL]);
  }
  if (rule?.maxNumVersions) return [{ ...EVERY_CELL, versions: rule.maxNumVersions }];
  if (rule?.maxAge != null) return [{ ...EVERY_CELL, seconds: secondsOf(rule.maxAge) }];
  return [];
}

const EVERY_CELL: Corner = { versions: 0, seconds: 0 };

const meet = (a: Corner, b: Corner): Corner => ({
  versions: Math.max(a.versions, b.versions),
  seconds: Math.max(a.seconds, b.seconds),
});

/** Whether `to` collects a cell that `from` keeps. */
export function collectsMore(from: GcRule | null | undefined, to: GcRule | null | undefined): boolean {
  const known = cornersOf(from);
  const within = (corner: Corner): boolean =>
    known.some(({ versions, seconds }) => versions <= corner.versions && seconds <= corner.seconds);
  return !cornersOf(to).every(within);
}
