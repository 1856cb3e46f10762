// The requests of one world, drawn at random: reads alone and in batches, by callers with and without the scopes that
// they need, often with an ETag that another user's answer had.
import { DEFAULT_LIMIT } from '../../../shared/domain/list.ts';
import type { Chance } from '../../support/chance.ts';
import type { Caller, Person, Population } from './population.ts';

/** One read as its caller means it. */
export interface DrawnRead {
  readonly user: string;
  readonly surface: string;
  readonly limit: number;
  readonly fallback: 'popular' | 'none';
  readonly variant: string | undefined;
  readonly expand: 'items' | undefined;
  /** False for a read that no schema accepts. */
  readonly isValid: boolean;
}

export interface DrawnRequest {
  readonly caller: Caller;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'QUERY';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly isBatch: boolean;
  readonly isDebug: boolean;
  readonly reads: readonly DrawnRead[];
}

interface DrawOptions {
  readonly chance: Chance;
  readonly population: Population;
  readonly surfaces: Readonly<Record<string, readonly string[]>>;
  /** Users of about half of the reads, so that reads meet. */
  readonly hot: readonly Person[];
  /** ETags of earlier answers, with their reads. */
  readonly etags: () => readonly { readonly etag: string; readonly read: DrawnRead }[];
}

const DEBUG_HEADER = 'earshot-debug';
const MAX_READS = 100;
const INVALID_USERS = ['~popular', 'a/b', 'a#b', '', 'x'.repeat(129), '%2e%2e', 'a b', '../a'];

export function createRequestDrawer({ chance, population, surfaces, hot, etags }: DrawOptions): () => DrawnRequest {
  const names = Object.keys(surfaces);
  const listeners = population.callers.filter(({ user, scopes }) => user !== undefined && scopes.size === 0);
  const refused = population.callers.filter(({ user }) => user === undefined);
  const privileged = population.callers.filter(({ scopes }) => scopes.has('recs:read:any'));
  let previous: DrawnRequest | undefined;

  function drawRead(user: string): DrawnRead {
    const surface = chance.is(0.03) ? 'nowhere' : chance.pick(names);
    const variants = [...(surfaces[surface] ?? []), 'ghost'];
    return {
      user,
      surface,
      limit: chance.is(0.4) ? DEFAULT_LIMIT : 1 + chance.below(5),
      fallback: chance.is(0.5) ? 'popular' : 'none',
      variant: chance.is(0.08) ? chance.pick(variants) : undefined,
      expand: chance.is(0.2) ? 'items' : undefined,
      isValid: true,
    };
  }

  const drawUser = (): string => chance.pick(chance.is(0.5) ? hot : population.people).user;

  function drawCaller(): Caller {
    const kind = chance.next();
    if (kind < 0.05) return chance.pick(refused);
    if (kind < 0.4)
      return chance.pick(listeners.filter(({ user }) => chance.is(0.5) || hot.some((each) => each.user === user)));
    return chance.pick(kind < 0.8 ? privileged : population.callers);
  }

  function drawHeaders(caller: Caller): Record<string, string> {
    return {
      ...(caller.authorization === null ? {} : { authorization: caller.authorization }),
      ...(chance.is(0.08) ? { [DEBUG_HEADER]: '1' } : {}),
      ...(chance.is(0.06) ? { 'earshot-deadline-ms': String(1 + chance.below(300)) } : {}),
    };
  }

  /** ETags of any answers. */
  function drawIfNoneMatch(): string | undefined {
    const known = etags();
    if (known.length === 0 || chance.is(0.6)) return undefined;
    if (chance.is(0.03)) return '*';
    const some = Array.from({ length: 1 + chance.below(20) }, () => chance.pick(known).etag);
    return some.map((etag) => (chance.is(0.1) ? `W/${etag}` : etag)).join(', ');
  }

  function drawSingle(): DrawnRequest {
    const caller = drawCaller();
    const known = etags();
    // A list that some caller has: this caller may be another one.
    if (known.length > 0 && chance.is(0.25)) {
      const { etag, read } = chance.pick(known);
      return makeSingle(chance.is(0.3) ? (holderOf(read.user) ?? caller) : caller, read, etag);
    }
    const user = chance.is(0.5) ? (caller.user ?? drawUser()) : drawUser();
    return makeSingle(caller, drawRead(user), drawIfNoneMatch());
  }

  const holderOf = (of: string): Caller | undefined => listeners.find(({ user }) => user === of);

  function makeSingle(caller: Caller, read: DrawnRead, ifNoneMatch: string | undefined): DrawnRequest {
    const { user, surface, limit, fallback, variant, expand } = read;
    const isOwn = user === caller.user && chance.is(0.8);
    // A URL cannot hold these as a segment.
    if (!isOwn && /^\.{1,2}$/.test(user)) return drawBatch();
    const query = new URLSearchParams({
      limit: String(limit),
      fallback,
      ...(variant && { variant }),
      ...(expand && { expand }),
    });
    const whose = isOwn ? 'me' : `users/${encodeURIComponent(user)}`;
    const headers = { ...drawHeaders(caller), ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }) };
    return {
      caller,
      method: chance.is(0.9) ? 'GET' : 'HEAD',
      path: `/v1/${whose}/recommendations/${surface}?${query}`,
      headers,
      body: null,
      isBatch: false,
      isDebug: DEBUG_HEADER in headers,
      reads: [read],
    };
  }

  function drawBatchReads(caller: Caller): DrawnRead[] {
    const count = chance.is(0.1) ? MAX_READS : 1 + chance.below(30);
    const isOwn =
      caller.user !== undefined && (!caller.scopes.has('recs:read:any') || chance.is(0.1)) && chance.is(0.8);
    return Array.from({ length: count }, () => {
      if (chance.is(0.03)) return { ...drawRead(chance.pick(INVALID_USERS)), isValid: false };
      const read = drawRead(isOwn ? (caller.user as string) : drawUser());
      return caller.scopes.has('recs:preview') || chance.is(0.02) ? read : { ...read, variant: undefined };
    });
  }

  function drawBatch(): DrawnRequest {
    const caller = drawCaller();
    const isEqual = previous?.isBatch === true && chance.is(0.3);
    const reads = isEqual ? (previous as DrawnRequest).reads : drawBatchReads(caller);
    const headers = { ...drawHeaders(caller), 'content-type': 'application/json' };
    const method = chance.pick(['POST', 'QUERY'] as const);
    return {
      caller,
      method,
      path: method === 'POST' ? '/v1/recommendations:batch' : '/v1/recommendations',
      headers,
      body: JSON.stringify({ reads: reads.map(({ isValid: _, ...read }) => read) }),
      isBatch: true,
      isDebug: DEBUG_HEADER in headers,
      reads,
    };
  }

  return () => {
    previous = chance.is(0.6) ? drawSingle() : drawBatch();
    return previous;
  };
}
