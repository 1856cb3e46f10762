// Arguments that several commands share, each with one error message.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseGeneration } from '../../shared/domain/generation.ts';
import { isName, NAME_GRAMMAR, type Name } from '../../shared/domain/ids.ts';
import { FULL_WEIGHT, MAX_CANARY_SHARE } from '../../shared/domain/manifest.ts';
import { type Line, parseRelease, RELEASE_FORM, type Release } from '../../shared/domain/release.ts';
import { UsageError } from './usage-error.ts';

export const surfaceOption = () => new Option('--surface <name>', 'surface, for example `home`').argParser(parseName);

export const variantOption = () =>
  new Option('--variant <name>', 'variant of the experiment, for example `control`').argParser(parseName);

export const generationOption = (description: string) =>
  new Option('--generation <moment>', `${description}; ISO 8601 or ms since the epoch`).argParser((text) => {
    const generation = parseGeneration(text);
    if (generation !== undefined) return generation;
    throw new InvalidArgumentError('expected a moment like 2026-11-22T03:00:00Z, or milliseconds since the epoch.');
  });

/** Throws an InvalidArgumentError. */
export function parseReleaseArgument(text: string): NonNullable<ReturnType<typeof parseRelease>> {
  const parsed = parseRelease(text);
  if (parsed !== undefined) return parsed;
  throw new InvalidArgumentError(`expected ${RELEASE_FORM}.`);
}

/** Throws an InvalidArgumentError without a generation. */
export function parseWholeRelease(text: string): Release {
  const { generation, ...line } = parseReleaseArgument(text);
  if (generation !== undefined) return { ...line, generation };
  throw new InvalidArgumentError(`expected ${RELEASE_FORM}: the generation is missing.`);
}

/** Throws an InvalidArgumentError for a text with a generation. */
export function parseLine(text: string): Line {
  const { generation, ...line } = parseReleaseArgument(text);
  if (generation === undefined) return line;
  throw new InvalidArgumentError('expected surface/variant without a generation.');
}

/** `0.5%` as 0.005. */
export function parseShare(text: string): number {
  const [, percent] = /^(\d{1,2}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  const share = Number(percent) / 100;
  if (share > 0 && share <= MAX_CANARY_SHARE) return share;
  throw new InvalidArgumentError(`expected a share above 0 % and up to ${MAX_CANARY_SHARE * 100} %, like 0.5%.`);
}

/** An ISO 8601 moment as milliseconds since the epoch. */
export function parseMoment(text: string): number {
  const moment = parseGeneration(text);
  if (moment !== undefined) return moment;
  throw new InvalidArgumentError('expected a moment like 2026-11-22T03:00:00Z.');
}

export const asOption = () =>
  new Option(
    '--as <name>',
    'who does it, for the history (default: the e-mail address of the credential, or user@host)',
  );

export const whyOption = () => new Option('--why <text>', 'the reason, for `npx earshot manifest history`');

export const dryRunOption = () => new Option('--dry-run', 'print the change without making it');

export function parseName(text: string): Name {
  if (isName(text)) return text;
  throw new InvalidArgumentError(`expected ${NAME_GRAMMAR}.`);
}

/** A whole number of basis points. */
export function parseWeight(text: string): number {
  const weight = Number(text);
  if (/^\d{1,5}$/.test(text) && weight <= FULL_WEIGHT) return weight;
  throw new InvalidArgumentError(`expected a whole number from 0 to ${FULL_WEIGHT}.`);
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `10m`, `6h`, `1d` in milliseconds. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  throw new InvalidArgumentError('expected a duration like 90s, 10m, 6h or 1d.');
}

/** `europe,us`. */
export const parseNames = (text: string): Name[] => text.split(',').map((name) => parseName(name.trim()));

/** Throws a UsageError for --project and --instance, in a command that uses no Bigtable. */
export function refuseConnection(command: Command): void {
  const { project, instance } = command.optsWithGlobals<{ project?: string; instance?: string }>();
  if (project === undefined && instance === undefined) return;
  throw new UsageError(
    `expected no --project and no --instance with \`earshot ${command.name()}\`: it uses no Bigtable`,
  );
}
