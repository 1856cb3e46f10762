// The age after which lists are collected. The origins read the same variable, so that reads and garbage collection
// agree.
import { InvalidArgumentError, Option } from 'commander';
import { DEFAULT_LIST_MAX_AGE_DAYS, MAX_LIST_MAX_AGE_DAYS } from '../../shared/domain/list.ts';
import { UsageError } from './usage-error.ts';

const VARIABLE = 'EARSHOT_LIST_MAX_AGE_DAYS';
const FORM = `a whole number from 1 to ${MAX_LIST_MAX_AGE_DAYS}`;

export const listMaxAgeOption = () =>
  new Option(
    '--list-max-age-days <days>',
    `lists of older generations are collected (or ${VARIABLE}; default: ${DEFAULT_LIST_MAX_AGE_DAYS})`,
  ).argParser((text) => {
    const days = parseDays(text);
    if (days === undefined) throw new InvalidArgumentError(`expected ${FORM}.`);
    return days;
  });

/** The flag, else the variable, else the default. Throws a UsageError. */
export function resolveListMaxAgeDays(flag?: number): number {
  const text = process.env[VARIABLE];
  if (flag !== undefined || text === undefined) return flag ?? DEFAULT_LIST_MAX_AGE_DAYS;
  const days = parseDays(text);
  if (days === undefined) throw new UsageError(`expected ${VARIABLE} to be ${FORM}, got ${JSON.stringify(text)}`);
  return days;
}

const parseDays = (text: string): number | undefined =>
  /^[1-9]\d{0,3}$/.test(text) && Number(text) <= MAX_LIST_MAX_AGE_DAYS ? Number(text) : undefined;
