// Exposures: the fact that a user was shown an arm. An answer carries one as a token, `v1.PAYLOAD.SIGNATURE`, that the
// app sends back when the list is shown. The payload is a JSON array in base64url (RFC 4648, section 5); the signature
// is HMAC-SHA-256 (RFC 2104). The token names no user: only the reference that the hash key makes.
import type { Reason } from './assign.ts';

export interface Exposure {
  /** 16 characters. */
  readonly userRef: string;
  /** The experiment; the surface for a choice by weights; `holdout`. */
  readonly experiment: string;
  readonly arm: string;
  readonly salt: string;
  /** Milliseconds since the epoch: the generation of the list. */
  readonly generation: number;
  readonly source: 'personal' | 'popular';
  readonly reason: Reason;
  /** Hours since the epoch, when the token was made. */
  readonly hour: number;
}

/** A token says "shown" for at least so long, and for less than an hour more: it has the hour, and no minute. */
export const TOKEN_HOURS = 24;
export const HOUR_MS = 3_600_000;
const VERSION = 'v1';
/** Of an HMAC-SHA-256 (RFC 2104, section 5: at least half of its 32). */
export const SIGNATURE_BYTES = 16;
/** The longest names need fewer. */
export const MAX_TOKEN_CHARACTERS = 640;

export const SOURCES = ['personal', 'popular'] as const;
export const REASONS = ['outside', 'holdout', 'allowed', 'bucket', 'weight'] as const satisfies readonly Reason[];

/** The JSON of the payload. */
export const encodePayload = (exposure: Exposure): string =>
  JSON.stringify([
    ...[exposure.userRef, exposure.experiment, exposure.arm, exposure.salt, exposure.generation],
    ...[exposure.source, exposure.reason, exposure.hour],
  ]);

/** Undefined for any other text than encodePayload makes. */
export function decodePayload(json: string): Exposure | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== 8) return undefined;
  const [userRef, experiment, arm, salt, generation, source, reason, hour] = value as unknown[];
  const texts = [userRef, experiment, arm, salt];
  if (!texts.every((text) => typeof text === 'string')) return undefined;
  if (!Number.isSafeInteger(generation) || !Number.isSafeInteger(hour)) return undefined;
  if (!SOURCES.some((each) => each === source) || !REASONS.some((each) => each === reason)) return undefined;
  const exposure = { userRef, experiment, arm, salt, generation, source, reason, hour } as Exposure;
  return encodePayload(exposure) === json ? exposure : undefined;
}

/** The signed part of a token: its version and its payload in base64url. */
export const signedPartOf = (payload: string): string => `${VERSION}.${payload}`;

/** Undefined for a text that has not the form of a token. */
export function splitToken(token: string): { readonly payload: string; readonly signature: string } | undefined {
  if (token.length > MAX_TOKEN_CHARACTERS) return undefined;
  const [, payload = '', signature = ''] = /^v1\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})$/.exec(token) ?? [];
  return payload === '' ? undefined : { payload, signature };
}
