// Tokens of exposures, made once per stored list, assignment and hour, and remembered with the list: WebCrypto is
// asynchronous, and a hit is not.
import { base64url } from 'jose';
import type { Assignment } from '../../shared/domain/experiments/assign.ts';
import {
  decodePayload,
  type Exposure,
  encodePayload,
  HOUR_MS,
  SIGNATURE_BYTES,
  signedPartOf,
  splitToken,
} from '../../shared/domain/experiments/exposure.ts';
import type { Surface } from '../../shared/domain/manifest.ts';
import { decodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Served } from '../reads/serve-reads.ts';
import type { UserRef } from '../reads/user-ref.ts';
import { createKeyedHash } from './keys.ts';

export interface MadeToken {
  readonly token: string;
  /** The region nearest to the listener for whom it was made. */
  readonly region: string | undefined;
}

export interface ExposureTokens {
  /** The token of an answer if it was made before. */
  recall(served: Served): MadeToken | undefined;
  make(user: string, served: Served, region: string | undefined): Promise<MadeToken>;
  /** The exposure in `token`; undefined if this key did not sign it. */
  verify(token: string): Promise<Exposure | undefined>;
}

interface TokensOptions {
  readonly hashKey: string;
  readonly userRef: UserRef;
  readonly clock: Clock;
}

interface Remembered {
  readonly assignment: Assignment;
  readonly hour: number;
  readonly made: MadeToken;
}

/** Whether answers of the surface carry exposures: a choice by weights needs two variants to compare. */
export const isExposed = ({ reason }: Assignment, { variants }: Surface): boolean =>
  reason !== 'preview' && (reason !== 'weight' || variants.filter(({ weight }) => weight > 0).length > 1);

export function createExposureTokens({ hashKey, userRef, clock }: TokensOptions): ExposureTokens {
  const remembered = new WeakMap<Uint8Array, Remembered>();
  const sign = createKeyedHash(hashKey, 'signatures', SIGNATURE_BYTES);
  const hourNow = (): number => Math.floor(clock.now() / HOUR_MS);

  return {
    recall: ({ list, assignment, source }) => {
      // The popular list is of many users.
      const known = source === 'personal' ? remembered.get(list.bytes) : undefined;
      return known?.hour === hourNow() && isSame(known.assignment, assignment) ? known.made : undefined;
    },
    make: async (user, { list, assignment, source }, region) => {
      const { experiment, salt, reason, variant } = assignment;
      const hour = hourNow();
      const ref = (await userRef(user)) ?? '';
      const own = { userRef: ref, experiment, arm: variant.name, salt, reason };
      const payload = base64url.encode(encodePayload({ ...own, generation: list.generation, source, hour }));
      const signed = signedPartOf(payload);
      const token = `${signed}.${await sign(signed)}`;
      const made = { token, region };
      if (source === 'personal') remembered.set(list.bytes, { assignment, hour, made });
      return made;
    },
    verify: async (token) => {
      const parts = splitToken(token);
      if (parts === undefined) return undefined;
      const expected = await sign(signedPartOf(parts.payload));
      if (!isEqual(expected, parts.signature)) return undefined;
      return decodePayload(decodeUtf8(base64url.decode(parts.payload)));
    },
  };
}

const isSame = (one: Assignment, other: Assignment): boolean =>
  one.variant.name === other.variant.name &&
  one.experiment === other.experiment &&
  one.salt === other.salt &&
  one.reason === other.reason;

/** In a time that does not depend on where the texts differ. Both have the same length. */
function isEqual(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}
