// The options of `earshot experiment` as a form. Each throws a UsageError that says what was expected and what came.
import { BUCKETS, type Range } from '../../shared/domain/experiments/schema.ts';
import { isName, NAME_GRAMMAR } from '../../shared/domain/ids.ts';
import { makeUserHash } from '../../shared/domain/keys.ts';
import { readIds } from '../cli/id-arguments.ts';
import { UsageError } from '../cli/usage-error.ts';
import type { ExperimentForm } from './changes.ts';

export interface FormFlags {
  readonly size?: string;
  readonly slots?: string;
  readonly arm?: readonly string[];
  readonly control?: string;
  readonly country?: readonly string[];
  readonly claim?: readonly string[];
  readonly allow?: readonly string[];
  readonly disallow?: readonly string[];
  readonly salt?: string;
}

export function parseForm(flags: FormFlags): ExperimentForm {
  const { size, slots, arm, control, salt } = flags;
  if (size !== undefined && slots !== undefined) throw new UsageError('expected --size or --slots, got both');
  if (control !== undefined && !isName(control)) throw new UsageError(`expected --control to be ${NAME_GRAMMAR}`);
  return {
    salt,
    control,
    size: size === undefined ? undefined : parsePercent('--size', size),
    slots: slots === undefined ? undefined : parseSlots(slots),
    arms: arm === undefined ? undefined : parseArms(arm),
    targeting: parseTargeting(flags),
    allow: parseAllowed(flags.allow),
    disallow: flags.disallow?.flatMap((user) => readIds([user], {}, 1)).map((user) => makeUserHash(user)),
  };
}

function parseArms(pairs: readonly string[]): Map<string, number> {
  const arms = new Map<string, number>();
  for (const pair of pairs) {
    const [variant, text] = splitPair('--arm', 'variant=percent', pair);
    if (!isName(variant))
      throw new UsageError(`expected --arm variant=percent with ${NAME_GRAMMAR}, got ${JSON.stringify(pair)}`);
    if (arms.has(variant)) throw new UsageError(`expected each arm once, got ${variant} twice`);
    arms.set(variant, parsePercent('--arm', text));
  }
  return arms;
}

export function parsePercent(option: string, text: string): number {
  const basisPoints = Math.round(Number(text) * 100);
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(text) || basisPoints > BUCKETS)
    throw new UsageError(
      `expected ${option} in percent from 0 to 100 with at most 2 decimals, got ${JSON.stringify(text)}`,
    );
  return basisPoints;
}

function parseSlots(text: string): Range[] {
  return text.split(',').map((part) => {
    const [, from, to] = /^(\d{1,4})-(\d{1,4})$/.exec(part.trim()) ?? [];
    if (from === undefined || to === undefined || Number(from) > Number(to))
      throw new UsageError(
        `expected --slots to be ranges of 0 to 9999, for example 0-999,2000-2999, got ${JSON.stringify(text)}`,
      );
    return [Number(from), Number(to) + 1] as const;
  });
}

function parseTargeting({ country, claim }: FormFlags): ExperimentForm['targeting'] {
  if (country === undefined && claim === undefined) return undefined;
  const claims: Record<string, string[]> = {};
  for (const pair of claim ?? []) {
    const [name, value] = splitPair('--claim', 'name=value', pair);
    claims[name] = [...(claims[name] ?? []), value];
  }
  const countries = parseCountries(country);
  return { ...(countries === undefined ? {} : { countries }), ...(claim === undefined ? {} : { claims }) };
}

export function parseCountries(codes: readonly string[] | undefined): string[] | undefined {
  const wrong = codes?.find((code) => !/^[A-Z]{2}$/.test(code));
  if (wrong !== undefined)
    throw new UsageError(`expected --country to be two letters A-Z, as in ISO 3166-1, got ${JSON.stringify(wrong)}`);
  return codes === undefined ? undefined : [...codes];
}

/** The manifest holds the hashes of users alone. */
function parseAllowed(pairs: readonly string[] | undefined): ExperimentForm['allow'] {
  if (pairs === undefined) return undefined;
  const allow: Record<string, string[]> = {};
  for (const pair of pairs) {
    const [variant, user] = splitPair('--allow', 'variant=user', pair);
    if (!isName(variant))
      throw new UsageError(`expected --allow variant=user with ${NAME_GRAMMAR}, got ${JSON.stringify(pair)}`);
    const [id = ''] = readIds([user], {}, 1);
    allow[variant] = [...(allow[variant] ?? []), makeUserHash(id)];
  }
  return allow;
}

/** The name of a claim may hold a `=` only behind the first one. */
export function splitPair(option: string, form: string, pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new UsageError(`expected ${option} ${form}, got ${JSON.stringify(pair)}`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}
