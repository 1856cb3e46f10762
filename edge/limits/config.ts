// The limits in the worker's configuration: LIMITS as JSON text, and RATE_LIMITS as the one switch. Every part has a
// default; docs/limits.md gives the reasons for the numbers.
import * as z from 'zod';
import { isScope, SCOPES, type Scope } from '../../shared/domain/identity.ts';
import type { Limit } from './token-bucket.ts';

export interface LimitsConfig {
  readonly isOn: boolean;
  /** Requests of one address whose token is not remembered. */
  readonly address: Limit;
  /** Tokens of a listener. */
  readonly subject: Limit;
  /** Tokens of a caller with the scope, if they are more than the subject's. */
  readonly scopes: ReadonlyMap<Scope, Limit>;
  /** The claim with the name of a service. Undefined: services have no quotas of their own. */
  readonly serviceClaim: string | undefined;
  /** Tokens of a service, by name. */
  readonly services: ReadonlyMap<string, Limit>;
}

const limit = z.strictObject({
  perSecond: z.number().positive().max(1_000_000),
  burst: z.int().min(1).max(10_000_000),
});

const MAX_SERVICES = 1_000;

export const limitsSchema = z.strictObject({
  address: limit.default({ perSecond: 100, burst: 1_000 }),
  subject: limit.default({ perSecond: 20, burst: 200 }),
  scopes: z
    .record(z.string(), limit)
    .refine((all) => Object.keys(all).every(isScope), `expected scopes of ${Object.keys(SCOPES).join(', ')}`)
    .default({ 'recs:read:any': { perSecond: 2_000, burst: 20_000 } }),
  services: z
    .strictObject({
      claim: z.string().min(1),
      quotas: z
        .record(z.string(), limit)
        .default({})
        .refine((all) => Object.keys(all).length <= MAX_SERVICES, `expected at most ${MAX_SERVICES} services`),
    })
    .optional(),
});

export const toLimitsConfig = (isOn: boolean, limits: z.infer<typeof limitsSchema>): LimitsConfig => ({
  isOn,
  address: limits.address,
  subject: limits.subject,
  scopes: new Map(Object.entries(limits.scopes) as [Scope, Limit][]),
  serviceClaim: limits.services?.claim,
  services: new Map(Object.entries(limits.services?.quotas ?? {})),
});
