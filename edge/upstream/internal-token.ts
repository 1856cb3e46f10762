// The edge's tokens for origins: self-signed, short-lived, one per region, and minted once per isolate and lifetime
// instead of per request. While the secret is changed there are two, and each region gets the one that it accepts.
import type { Clock } from '../../shared/runtime/clock.ts';
import { mintOriginToken, ORIGIN_TOKEN_SECONDS } from '../../shared/wire/origin-token.ts';

/** Renewal this long before expiry: no token expires in transit, or under a clock that is slightly ahead. */
const RENEW_BEFORE_MS = 60_000;

export interface InternalTokens {
  /** The token for `region`. */
  get(region: string): Promise<string>;
  /** `region` refused `token`. Returns another one that it may accept, if there is one, and prefers it from now on. */
  replace(region: string, token: string): Promise<string | undefined>;
}

interface InternalTokensOptions {
  readonly secret: string;
  /** The secret before or after it, which some origins may still or already have. Default: none. */
  readonly previousSecret?: string | undefined;
  readonly clock: Clock;
}

export function createInternalTokens({ secret, previousSecret, clock }: InternalTokensOptions): InternalTokens {
  const secrets = [secret, ...(previousSecret === undefined ? [] : [previousSecret])];
  const minters = secrets.map((each) => createMinter(each, clock));
  /** Index of the secret by region. Default: the current one. */
  const preferred = new Map<string, number>();
  const mint = (index: number, region: string): Promise<string> | undefined => minters[index]?.(region);
  const get = (region: string): Promise<string> => mint(preferred.get(region) ?? 0, region) as Promise<string>;

  return {
    get,
    replace: async (region, token) => {
      // A concurrent call may have replaced it.
      const current = await get(region);
      if (current !== token) return current;
      const other = 1 - (preferred.get(region) ?? 0);
      if (other >= secrets.length) return undefined;
      preferred.set(region, other);
      return mint(other, region);
    },
  };
}

/** Keeps the token of each region until shortly before its end. */
function createMinter(secret: string, clock: Clock): (region: string) => Promise<string> {
  const tokens = new Map<string, { token: string; renewAtMs: number }>();
  return async (region) => {
    const nowMs = clock.now();
    const current = tokens.get(region);
    if (current !== undefined && nowMs < current.renewAtMs) return current.token;
    const token = await mintOriginToken(secret, { subject: 'edge', region, nowMs });
    tokens.set(region, { token, renewAtMs: nowMs + ORIGIN_TOKEN_SECONDS * 1000 - RENEW_BEFORE_MS });
    return token;
  };
}
