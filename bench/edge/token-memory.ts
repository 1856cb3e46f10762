// CPU of one look-up of a remembered token, against a look-up of the same text in a Map. Each look-up has a text of its
// own, as a header of a request has, so both hash it.
import { createVerifiedTokens } from '../../shared/caching/verified-tokens.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { makeListAsks, makeUsers } from '../rigs/edge-asks.ts';
import { median } from '../support/statistics.ts';

const TOKENS = 1_000;
const ROUNDS = 7;
const LOOKUPS = 200_000;

export interface TokenMemoryCost {
  readonly micros: number;
  readonly vsMap: number;
}

export async function measureTokenMemory(): Promise<TokenMemoryCost> {
  const asks = await makeListAsks(makeUsers(TOKENS));
  const tokens = asks.map(({ headers }) => Buffer.from(String(headers?.authorization).slice('Bearer '.length)));
  const identity = { user: 'listener:1' };
  const remembered = createVerifiedTokens<object>(systemClock, TOKENS);
  const map = new Map<string, object>();
  for (const token of tokens) {
    remembered.set(token.toString('latin1'), identity, Number.POSITIVE_INFINITY);
    map.set(token.toString('latin1'), identity);
  }
  const microsOf = (lookUp: (token: string) => unknown): number => {
    const startedAtMs = performance.now();
    let found = 0;
    for (let i = 0; i < LOOKUPS; i++)
      if (lookUp((tokens[i % TOKENS] as Buffer).toString('latin1')) !== undefined) found++;
    if (found !== LOOKUPS) throw new Error(`expected ${LOOKUPS} tokens to be known, got ${found}`);
    return ((performance.now() - startedAtMs) * 1000) / LOOKUPS;
  };
  const pairs = Array.from({ length: ROUNDS }, () => ({
    remembered: microsOf(remembered.get),
    map: microsOf((token) => map.get(token)),
  }));
  return {
    micros: median(pairs.map((pair) => pair.remembered)),
    vsMap: median(pairs.map((pair) => pair.remembered / pair.map)),
  };
}
