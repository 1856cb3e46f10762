// The users of one world and the callers that ask for them. Each user's lists carry a mark that no other user can
// guess.
import { POPULAR_USER } from '../../../shared/domain/ids.ts';
import type { Chance } from '../../support/chance.ts';
import { signToken } from '../../workerd/support/tokens.ts';

/** `always`: has a list everywhere. `erasable`: has one until its erasure. */
export type Presence = 'always' | 'erasable' | 'never';

export interface Person {
  readonly user: string;
  /** Part of every item id, every digest and every item's metadata of the person's lists. */
  readonly mark: string;
  readonly presence: Presence;
}

export interface Caller {
  /** Undefined for a caller whose token is refused. */
  readonly user: string | undefined;
  readonly scopes: ReadonlySet<string>;
  /** The header; null for none. */
  readonly authorization: string | null;
}

export interface Population {
  readonly people: readonly Person[];
  readonly popular: Person;
  readonly callers: readonly Caller[];
  personOf(user: string): Person | undefined;
  /** The owner of a mark; undefined for a text that only looks like one. */
  ownerOf(mark: string): string | undefined;
}

/** Matches marks, and the unguessable part of some names. */
export const MARKS = /m[0-9a-f]{15}/g;
export const NAME_TAGS = /n[0-9a-f]{11}/g;

/** Ids that are special to URLs, to JavaScript or to careless concatenation. */
const TRICKY: readonly string[] = [
  ...['a', 'A', 'a.', '.', '..', '...', '-', '--', 'a-', 'a:b', 'a@b', 'a.b', 'a+b', 'a|b', '_', '|', '+', '@', ':'],
  ...[
    '|+@:',
    '1',
    '01',
    '1e3',
    '-0',
    'NaN',
    'null',
    'undefined',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
  ],
  ...['va', 'v', 'av', 's', 'sv', 'control', 'popular', 'popular~', 'a~popular', ':~popular', 'items', 'manifest'],
  ...['x'.repeat(126), 'x'.repeat(127), 'x'.repeat(128)],
];

/** Each family has names that begin with the same tag. */
const FAMILIES = 5;
const KIN = ['', '.', 'a', 'A', ':', '~', '|home', '+1'];

const SCOPE_SETS: readonly (readonly string[])[] = [
  ['recs:read:any'],
  ['recs:read:any', 'recs:preview'],
  ['recs:read:any', 'recs:preview', 'recs:debug'],
  ['recs:read:any', 'recs:debug'],
  ['recs:preview', 'recs:debug'],
  ['recs:preview'],
  ['recs:debug'],
  ['recs:read', 'recs:read:anyone', 'recs', 'read:any', 'RECS:READ:ANY'],
];

/** Longer than any world lasts on its clock. */
const TOKEN_SECONDS = 3_600;

export async function createPopulation(chance: Chance, nowMs: number): Promise<Population> {
  const people = drawUsers(chance).map((user): Person => {
    return { user, mark: `m${hex(chance, 15)}`, presence: chance.pick(['always', 'always', 'erasable', 'never']) };
  });
  const popular: Person = { user: POPULAR_USER, mark: `m${hex(chance, 15)}`, presence: 'always' };
  const byUser = new Map([...people, popular].map((person) => [person.user, person]));
  const byMark = new Map([...people, popular].map(({ user, mark }) => [mark, user]));
  return {
    people,
    popular,
    callers: await makeCallers(people, nowMs),
    personOf: (user) => byUser.get(user),
    ownerOf: (mark) => byMark.get(mark),
  };
}

function drawUsers(chance: Chance): string[] {
  const families = Array.from({ length: FAMILIES }, () => {
    const tag = `n${hex(chance, 11)}`;
    return KIN.map((kin) => tag + kin);
  });
  return [...TRICKY, ...families.flat()];
}

const hex = (chance: Chance, digits: number): string =>
  Array.from({ length: digits }, () => chance.below(16).toString(16)).join('');

async function makeCallers(people: readonly Person[], nowMs: number): Promise<Caller[]> {
  const valid = async (user: string, scopes: readonly string[]): Promise<Caller> => {
    const scope = scopes.length === 0 ? {} : { scope: scopes.join(' ') };
    const token = await signToken({ sub: user, ...scope, nowMs, expiresInSeconds: TOKEN_SECONDS });
    return { user, scopes: new Set(scopes), authorization: `Bearer ${token}` };
  };
  const refused = (authorization: string | null): Caller => ({ user: undefined, scopes: new Set(), authorization });
  const { user: sub } = people[0] as Person;
  return [
    ...(await Promise.all(people.map(({ user }) => valid(user, [])))),
    // A service may be a listener, too.
    ...(await Promise.all(
      SCOPE_SETS.flatMap((scopes, i) => [valid('service', scopes), valid(people[i]?.user ?? sub, scopes)]),
    )),
    refused(null),
    refused('Bearer '),
    refused(`Bearer ${await signToken({ sub, nowMs, secret: 'another-secret-for-tests-only-0123456789' })}`),
    refused(`Bearer ${await signToken({ sub, nowMs, expiresInSeconds: -60 })}`),
    refused(`Bearer ${await signToken({ sub, nowMs, audience: 'another' })}`),
    refused(`Bearer ${await signToken({ sub: '~popular', nowMs })}`),
  ];
}
