// Reads as HTTP requests to the worker's app, and its answers in the oracle's form. Status, headers and body must
// agree.

import { createApp } from '../../edge/app.ts';
import type { EdgeDeps } from '../../edge/deps.ts';
import type { Identity } from '../../edge/identity/claims.ts';
import { createCallerCosts } from '../../edge/limits/caller-costs.ts';
import { NO_LIMITS } from '../../edge/limits/limits.ts';
import type { Read } from '../../edge/reads/fallback.ts';
import { createRespondLarge } from '../../edge/respond/large-answer.ts';
import { parseGeneration } from '../../shared/domain/generation.ts';
import { SCOPES, type Scope } from '../../shared/domain/identity.ts';
import { toName, toUserId, type UserId } from '../../shared/domain/ids.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { ErrorCode } from '../../shared/wire/errors.ts';
import { type Outcome, Violation } from './oracle.ts';

interface AppFrontOptions extends Omit<EdgeDeps, 'costs' | 'identity' | 'limits' | 'respondLarge'> {
  readonly keep: (work: Promise<unknown>) => void;
}

interface ListBody {
  readonly user: string;
  readonly surface: string;
  readonly variant: string;
  readonly generation: string;
  readonly source: 'personal' | 'popular';
  readonly items: readonly { readonly id: string; readonly score: number }[];
}

/** Answers one read of a caller near that region. Rejects with a Violation if the answer contradicts itself. */
type AppFront = (read: Read, nearest: Region) => Promise<Outcome>;

export function createAppFront({ keep, ...deps }: AppFrontOptions): AppFront {
  // The header names the caller. A signature check is real cryptography, which settles on the event loop.
  const scopes = new Set(Object.keys(SCOPES) as Scope[]);
  const identityOf = (user: UserId): Identity => ({
    user,
    scopes,
    lacks: undefined,
    service: undefined,
    claims: undefined,
    arms: undefined,
  });
  const identity: EdgeDeps['identity'] = {
    recall: (authorization) => (asked % 2 === 0 ? undefined : identityOf(authorization as UserId)),
    verify: async (authorization) => identityOf(authorization as UserId),
  };
  const app = createApp({
    ...deps,
    identity,
    limits: NO_LIMITS,
    costs: createCallerCosts(),
    respondLarge: createRespondLarge(deps),
  });
  const context = { waitUntil: keep, passThroughOnException: () => {} } as unknown as ExecutionContext;
  let asked = 0;

  return async ({ user, surface, fallback, variant, expand }, nearest) => {
    const limit = 1 + (asked++ % 3);
    const url = new URL(`https://edge.test/v1/me/recommendations/${surface}?limit=${limit}&fallback=${fallback}`);
    if (variant !== undefined) url.searchParams.set('variant', variant);
    if (expand !== undefined) url.searchParams.set('expand', expand);
    const cf = { latitude: String(nearest.latitude), longitude: String(nearest.longitude) };
    const request = new Request(url, { headers: { authorization: user }, cf } as RequestInit);
    const response = await app.fetch(request, {}, context);
    const body: unknown = JSON.parse(await response.text());
    if (response.status !== 200) return { kind: 'error', code: (body as { code: ErrorCode }).code, own: undefined };
    return toOutcome(body as ListBody, limit);
  };
}

function toOutcome({ user, surface, variant, generation, source, items }: ListBody, limit: number): Outcome {
  const [first] = items;
  const count = 1 + (Number(first?.id.split(':')[1]) % 3);
  if (items.length !== Math.min(limit, count))
    throw new Violation(`expected ${limit} of ${count} items, got ${items.length}`);
  return {
    kind: 'list',
    bytes: encodeUtf8(JSON.stringify(first)),
    generation: parseGeneration(generation) as number,
    own: { user: toUserId(user), surface: toName(surface), variant: toName(variant), generation: undefined },
    source,
    fallbackReason: undefined,
  };
}
