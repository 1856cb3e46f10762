// A user in records: 16 characters of HMAC-SHA-256 (RFC 2104) under the hash key. The worker makes the same reference
// in its log (edge/reads/user-ref.ts).
import { createHmac } from 'node:crypto';
import { makeSecret } from '../../shared/config/variables.ts';
import { type ConnectionFlags, findTargetCloud } from './settings.ts';
import { UsageError } from './usage-error.ts';

const REF_CHARS = 16;

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
  const isLocal = (process.env.BIGTABLE_EMULATOR_HOST ?? '') !== '' || key === findTargetCloud(flags)?.hashKey;
  const result = makeSecret({ isLocal }).safeParse(key);
  if (!result.success) throw new UsageError(`EARSHOT_HASH_KEY: ${result.error.issues[0]?.message}`);
  return makeUserRef(key);
}
