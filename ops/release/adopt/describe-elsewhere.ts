// Words for lists that are elsewhere: other moments, families or qualifiers. Pure.
import { isGeneration } from '../../../shared/domain/generation.ts';
import { FAMILIES, makeListQualifier } from '../../../shared/domain/keys.ts';
import type { Line } from '../../../shared/domain/release.ts';
import { formatCount } from '../../cli/format.ts';

const MAX_NAMED = 5;
const DAY_MS = 86_400_000;

/** Timestamps of cells in microseconds, none of them that of the generation. */
export function describeMoments(micros: readonly number[], generation: number, nowMs: number): string {
  const named = micros
    .toSorted((a, b) => b - a)
    .slice(0, MAX_NAMED)
    .map((each) => describeMoment(each, generation, nowMs));
  const more = micros.length > MAX_NAMED ? ` and ${formatCount(micros.length - MAX_NAMED)} more` : '';
  return `lists in that column have other timestamps: ${named.join(', ')}${more}`;
}

function describeMoment(micros: number, generation: number, nowMs: number): string {
  if (micros === generation)
    return `${micros} µs (the generation in milliseconds, where Bigtable has microseconds: multiply by 1000)`;
  if (micros === generation * 1e6)
    return `${micros} µs (the generation in microseconds, where the client has milliseconds: divide by 1000)`;
  const ms = micros / 1000;
  if (!isGeneration(ms)) return `${micros} µs`;
  const isNow = Math.abs(ms - nowMs) < DAY_MS;
  return `${new Date(ms).toISOString()}${isNow ? ' (about now: the engine set no timestamp)' : ''}`;
}

/** `columns` has the columns of the table as `family:qualifier`. */
export function describeColumns(columns: ReadonlySet<string>, line: Line): string {
  const qualifier = makeListQualifier(line.surface, line.variant);
  const wanted = `${FAMILIES.lists}:${qualifier}`;
  const names = [...columns].filter((each) => each !== wanted).sort();
  const sameQualifier = names.filter((each) => qualifierOf(each) === qualifier);
  if (sameQualifier.length > 0) return `the same qualifier is in another family: ${list(sameQualifier)}, not ${wanted}`;
  const similar = names.filter((each) => isSimilar(qualifierOf(each), line));
  if (similar.length > 0) return `a similar qualifier is in the table: ${list(similar)}, not ${wanted}`;
  if (columns.has(wanted)) return 'that column has only lists of recorded releases';
  return names.length === 0 ? 'the table has no lists' : `the table has the columns ${list(names)}, and no ${wanted}`;
}

const qualifierOf = (column: string): string => column.slice(column.indexOf(':') + 1);
const lettersOf = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** `home:control`, `Home/Control`, `control/home`, `control`, or with more letters around. */
function isSimilar(qualifier: string, { surface, variant }: Line): boolean {
  const letters = lettersOf(qualifier);
  const [first, second] = [lettersOf(surface), lettersOf(variant)];
  return letters === first || letters === second || (letters.includes(first) && letters.includes(second));
}

const list = (names: readonly string[]): string =>
  names.length <= MAX_NAMED
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more`;
