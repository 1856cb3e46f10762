// Schemas of configuration variables, and their error messages: `NAME: expected X, got Y`. The value of a secret never
// appears in a message.
import { type ZodError, z } from 'zod';
import { MIN_SECRET_BYTES } from '../domain/identity.ts';
import { encodeUtf8 } from '../runtime/bytes.ts';
import { findWeakness } from './secret-strength.ts';

const MAX_SHOWN_CHARACTERS = 80;

interface Issue {
  readonly input?: unknown;
}

/** The received value in an error message. */
export const got = (value: unknown): string =>
  value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, MAX_SHOWN_CHARACTERS) ?? typeof value);

/** The `error` of a schema that expects `what`. */
export const expected = (what: string) => ({ error: ({ input }: Issue) => `expected ${what}, got ${got(input)}` });

/** Text that is not empty. */
export const text = z.string(expected('text')).min(1, expected('text'));

/** A whole number from `min` to `max`, written in up to 13 digits. */
export function wholeNumber(min: number, max: number) {
  const refusal = expected(`a whole number from ${min} to ${max}`);
  const isInRange = (value: string): boolean =>
    /^\d{1,13}$/.test(value) && Number(value) >= min && Number(value) <= max;
  return z.string(refusal).refine(isInRange, refusal).transform(Number);
}

/** A number from 0 to 1, written as `0`, `1` or a decimal fraction with up to 9 places. */
const SHARE = expected('a number from 0 to 1, for example 0.01');
export const share = z
  .string(SHARE)
  .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, SHARE)
  .transform(Number);

const secretSize = (value: unknown): string =>
  typeof value === 'string' ? `${encodeUtf8(value).length}` : value === undefined ? 'nothing' : typeof value;

/** A secret of at least MIN_SECRET_BYTES bytes. Outside the local cloud it must be hard to guess, too. */
export const makeSecret = ({ isLocal }: { readonly isLocal: boolean }) =>
  z
    .string({ error: ({ input }: Issue) => `expected text, got ${secretSize(input)}` })
    .refine((value) => encodeUtf8(value).length >= MIN_SECRET_BYTES, {
      error: ({ input }) => `expected at least ${MIN_SECRET_BYTES} bytes, got ${secretSize(input)}`,
      abort: true,
    })
    .refine((value) => isLocal || findWeakness(value) === undefined, {
      error: ({ input }) => `expected a random secret, got ${findWeakness(String(input))}`,
    });

export interface VariableFaults {
  /** One line per wrong variable. */
  readonly reasons: readonly string[];
  /** Required variables without a value. */
  readonly missing: readonly string[];
}

/** The faults of `env` in the error of its schema. */
export function describeFaults({ issues }: ZodError, env: Readonly<Record<string, unknown>>): VariableFaults {
  const names = issues.map(({ path }) => String(path[0]));
  return {
    reasons: issues.map(({ message }, i) => `${names[i]}: ${message}`),
    missing: [...new Set(names)].filter((name) => env[name] === undefined),
  };
}
