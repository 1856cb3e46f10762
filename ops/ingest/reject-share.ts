// The share of lines that may be rejects: beyond it the data is wrong, not single lines.
import { InvalidArgumentError, Option } from 'commander';
import { formatPlural } from '../cli/format.ts';
import type { Rejects } from './rejects.ts';
import { MAX_IDS } from './seen-ids.ts';

const DEFAULT_REJECT_SHARE = 0.001;

/** Percent, as a share from 0 to 1. Default: 0.1 %. */
export const maxRejectShareOption = (description: string): Option =>
  new Option('--max-reject-share <percent>', description)
    .argParser(parseShare)
    .default(DEFAULT_REJECT_SHARE, formatPercentage(DEFAULT_REJECT_SHARE));

/** 0.001 as `0.1`. */
export const formatPercentage = (share: number): string => String(Number((100 * share).toPrecision(3)));

/** Throws an Error if more than `share` of the lines are rejects. */
export function requireFew(rejects: Rejects, accepted: number, share: number): void {
  const count = rejects.count();
  const lines = accepted + count;
  if (count <= share * lines) return;
  throw tooMany(rejects, share, `${formatPlural(count, 'line')} of ${lines} (${formatPercentage(count / lines)} %)`);
}

/** Throws an Error for more rejects than the largest load may have: however many lines follow, it would be refused. */
export function requireFewSoFar(rejects: Rejects, share: number): void {
  const count = rejects.count();
  if (count * (1 - share) > share * MAX_IDS) throw tooMany(rejects, share, `${formatPlural(count, 'line')} so far`);
}

const tooMany = (rejects: Rejects, share: number, got: string): Error =>
  new Error(
    `expected at most ${formatPercentage(share)} % of the lines to be invalid, got ${got}, kept with the reasons in ${rejects.path}`,
  );

/** Throws an Error if no line is accepted. */
export function requireSome(accepted: number, noun: string, rejects: Rejects): void {
  if (accepted > 0) return;
  const count = rejects.count();
  const got = count === 0 ? 'none' : `${formatPlural(count, 'line')} that are invalid, kept in ${rejects.path}`;
  throw new Error(`expected at least one valid ${noun}, got ${got}`);
}

function parseShare(text: string): number {
  const percent = Number(text);
  if (/^\d{1,3}(\.\d{1,6})?$/.test(text) && percent <= 100) return percent / 100;
  throw new InvalidArgumentError(`expected a percentage from 0 to 100, got ${JSON.stringify(text)}`);
}
