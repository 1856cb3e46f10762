// A user in records: 16 characters of HMAC-SHA-256 (RFC 2104) under the hash key. The worker makes the same reference in
// its log (edge/reads/user-ref.ts).
import { createHmac } from 'node:crypto';
import { type ConnectionFlags, findTargetCloud } from './settings.ts';
import { UsageError } from './usage-error.ts';

const REF_CHARS = 16;
const MIN_KEY_BYTES = 32;

export type UserRef = (user: string) => string;

export const makeUserRef =
  (hashKey: string): UserRef =>
  (user) =>
    createHmac('sha256', hashKey).update(user).digest('base64url').slice(0, REF_CHARS);

/** By EARSHOT_HASH_KEY, or by the key of the local cloud. Throws a UsageError without one. */
export function findUserRef(flags: ConnectionFlags): UserRef {
  const key = process.env.EARSHOT_HASH_KEY || findTargetCloud(flags)?.hashKey;
  if (key === undefined || key === '')
    throw new UsageError('expected EARSHOT_HASH_KEY to be the key of references to users (HASH_KEY of the worker)');
  if (Buffer.byteLength(key) < MIN_KEY_BYTES)
    throw new UsageError(
      `expected EARSHOT_HASH_KEY to have at least ${MIN_KEY_BYTES} bytes, got ${Buffer.byteLength(key)}`,
    );
  return makeUserRef(key);
}
