// The limits of callers: by address before a token is verified, by subject or service after. They keep one caller from
// using up what others need. A remembered token is not bound by its address: many listeners can share one.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Identity } from '../identity/claims.ts';
import type { CallerCosts } from './caller-costs.ts';
import type { LimitsConfig } from './config.ts';
import { createLocationLimit, type RateLimiter } from './location-limit.ts';
import { createTokenBuckets, type Limit } from './token-bucket.ts';

export interface Limits {
  /** Takes one token of the address, before the check of a signature. Throws `rate_limited`. */
  admitAddress(address: string | undefined): void;
  /** A token of this address was refused: the check costs more than a request. */
  chargeRejection(address: string | undefined): void;
  /** Takes `cost` tokens of the caller. Throws `rate_limited`. */
  admit(identity: Identity, cost: number): void;
  /** Takes tokens for work that is done. It never throws; the next request pays. */
  charge(identity: Identity, cost: number): void;
  /** Rejects with `rate_limited` if the caller has used up the limit of the location. */
  admitAtLocation(identity: Identity): Promise<void>;
}

interface LimitsOptions {
  readonly config: LimitsConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly costs: CallerCosts;
  /** The rate-limit binding, if there is one. */
  readonly limiter: RateLimiter | undefined;
}

/** Tokens of an address for one refused token: a signature check is about as expensive as ten hits. */
const REJECTION_COST = 10;

export const NO_LIMITS: Limits = {
  admitAddress: () => {},
  chargeRejection: () => {},
  admit: () => {},
  charge: () => {},
  admitAtLocation: async () => {},
};

export function createLimits({ config, clock, counters, costs, limiter }: LimitsOptions): Limits {
  if (!config.isOn) return NO_LIMITS;
  const askLocation = createLocationLimit({ limiter, clock, counters });
  const addresses = createTokenBuckets(clock);
  const callers = createTokenBuckets(clock);
  const { address: addressLimit } = config;

  return {
    admitAddress: (address) => {
      if (address === undefined) return;
      const waitMs = addresses.tryTake(address, 1, addressLimit);
      if (waitMs === 0) return;
      counters.add('edge_limited_addresses_total');
      throw limited({ name: 'address', limit: addressLimit }, 0, waitMs);
    },
    chargeRejection: (address) => {
      if (address !== undefined) addresses.take(address, REJECTION_COST, addressLimit);
    },
    admit: (identity, cost) => {
      const policy = policyOf(config, identity);
      const waitMs = callers.tryTake(policy.key, cost, policy.limit);
      if (waitMs === 0) return;
      counters.add('edge_limited_callers_total');
      costs.add(identity, { refused: 1 });
      throw limited(policy, callers.balance(policy.key, policy.limit), waitMs);
    },
    charge: (identity, cost) => {
      if (cost === 0) return;
      const { key, limit } = policyOf(config, identity);
      callers.take(key, cost, limit);
    },
    admitAtLocation: (identity) => askLocation(policyOf(config, identity).key),
  };
}

interface Policy {
  readonly name: 'address' | 'subject' | 'service';
  readonly limit: Limit;
}

/** A service's own quota, else the largest limit of the token's scopes, else that of a listener. */
function policyOf(config: LimitsConfig, { user, service, scopes }: Identity): Policy & { readonly key: string } {
  const quota = service === undefined ? undefined : config.services.get(service);
  if (service !== undefined && quota !== undefined) return { name: 'service', key: `service ${service}`, limit: quota };
  let limit = config.subject;
  for (const [scope, each] of config.scopes) if (scopes.has(scope) && each.perSecond > limit.perSecond) limit = each;
  return { name: 'subject', key: `subject ${user}`, limit };
}

const limited = (policy: Policy, balance: number, waitMs: number): EarshotError =>
  new EarshotError('rate_limited', 'edge', `the limit of this ${policy.name} is reached`, {
    headers: { 'Retry-After': String(secondsOf(waitMs)), ...headersOf(policy, balance, waitMs) },
  });

/** The fields of draft-ietf-httpapi-ratelimit-headers-10: the quota of a window, and what is left of it. */
function headersOf({ name, limit: { perSecond, burst } }: Policy, balance: number, waitMs: number) {
  return {
    'RateLimit-Policy': `"${name}";q=${burst};w=${secondsOf((burst / perSecond) * 1000)}`,
    RateLimit: `"${name}";r=${balance};t=${secondsOf(waitMs)}`,
  };
}

const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));
