// The judge of one read, in an answer of its own or in its place in a batch. It uses none of the tested code.
import { MARKS, NAME_TAGS, type Person, type Population } from './population.ts';
import type { DrawnRead } from './requests.ts';
import { itemId } from './tables.ts';
import { demand } from './violation.ts';

/** The members of an answer or of a result of a batch. */
export interface Members {
  readonly status?: number;
  readonly user?: string;
  readonly surface?: string;
  readonly variant?: string;
  readonly source?: string;
  readonly items?: readonly Item[];
  readonly problem?: Problem;
  readonly decision?: string;
  readonly cacheStatus?: string;
}

interface Item {
  readonly id: string;
  readonly metadata?: { readonly of: string };
}

export interface Problem {
  readonly code: string;
  readonly detail?: string;
}

/** Codes of a read that is valid and allowed, besides those about its names. */
export const OUTAGE_CODES: readonly string[] = ['unavailable', 'deadline_exceeded', 'overloaded'];

export interface ReadJudge {
  /** Demands that every mark in `text` is of `owners`, and that every name tag begins the name of one. */
  scan(text: string, owners: readonly string[], where: string): void;
  /** The owner of a list that `read` may get. */
  judgeList(read: DrawnRead, members: Members, decision: string | null | undefined): Person;
  /** The state and the name of another user must not be in an error. */
  judgeProblem(read: DrawnRead, problem: Problem): void;
}

export function createReadJudge({ popular, personOf, ownerOf }: Population): ReadJudge {
  function judgeItem(read: DrawnRead, { id, metadata }: Item, i: number, owner: Person, variant: string): void {
    const isOf = (surface: string): boolean => id.startsWith(`${owner.mark}.${surface}.`) && id.endsWith(`.${i}`);
    const isRight =
      owner === popular ? isOf(read.surface) || isOf('popular') : id === itemId(owner.mark, read.surface, variant, i);
    demand(isRight, () => `${told(read)} gets the item ${id} of ${ownerOf(id.slice(0, 16))}`);
    demand((metadata?.of ?? owner.mark) === owner.mark, () => `${told(read)} gets metadata of another list`);
    demand(metadata === undefined || read.expand === 'items', () => `${told(read)} gets metadata`);
  }

  return {
    scan: (text, owners, where) => {
      for (const [mark] of text.matchAll(MARKS)) {
        const owner = ownerOf(mark);
        demand(
          owner === undefined || owners.includes(owner),
          () => `${where} has a mark of ${owner}, not of ${owners.join(' or ')}`,
        );
      }
      for (const [tag] of text.matchAll(NAME_TAGS)) {
        const isOwn = owners.some((owner) => owner.startsWith(tag));
        demand(isOwn, () => `${where} names a user of ${tag}, not ${owners.join(' or ')}`);
      }
    },
    judgeList: (read, { user, surface, variant = '', source, items = [] }, decision) => {
      demand(user === read.user && surface === read.surface, () => `${told(read)} is answered for ${user}, ${surface}`);
      demand(read.variant === undefined || variant === read.variant, () => `${told(read)} gets variant ${variant}`);
      const owner = source === 'popular' ? popular : (personOf(read.user) as Person);
      demand(owner !== popular || read.fallback === 'popular', () => `${told(read)} gets the popular list`);
      demand(items.length >= 1 && items.length <= read.limit, () => `${told(read)} gets ${items.length} items`);
      for (const [i, item] of items.entries()) judgeItem(read, item, i, owner, variant);
      const isSaidAbsent = decision?.includes('by=absent') === true;
      demand(!isSaidAbsent || personOf(read.user)?.presence !== 'always', () => `${told(read)} is said to be absent`);
      return owner;
    },
    judgeProblem: (read, { code, detail = '' }) => {
      const isAbsent = code === 'no_recommendations' && personOf(read.user)?.presence !== 'always';
      const isNamed =
        (code === 'unknown_surface' && read.surface === 'nowhere') ||
        (code === 'unknown_variant' && read.variant !== undefined);
      const isRight = read.isValid ? isAbsent || isNamed || OUTAGE_CODES.includes(code) : code === 'invalid_request';
      demand(isRight, () => `${told(read)} ends with ${code}`);
      for (const [, quoted = ''] of detail.matchAll(/"([^"]*)"/g)) {
        const isOwn = [read.user, read.surface, read.variant, 'popular', 'none', 'items'].includes(quoted);
        demand(isOwn || !read.isValid, () => `the error of ${told(read)} names ${quoted}`);
      }
    },
  };
}

/** Demands that Cache-Status shows keys in debug output only, and none of another user. */
export function judgeKeys(read: DrawnRead, cacheStatus: string | null | undefined, isDebug: boolean): void {
  const keys = [...(cacheStatus ?? '').matchAll(/key="([^"]*)"/g)].map(([, key = '']) => key);
  demand(isDebug || keys.length === 0, () => `${told(read)} shows ${keys.join(' ')}`);
  for (const key of keys) {
    const user = key.split('/')[3];
    const isOwn = key === 'manifest' || user === read.user || user === '~popular';
    demand(isOwn, () => `Cache-Status of ${told(read)} shows ${key}`);
  }
}

export const told = ({ user, surface, limit, variant, expand }: DrawnRead): string =>
  `${JSON.stringify(user)} on ${surface} (limit ${limit}${variant ? `, ${variant}` : ''}${expand ? ', expanded' : ''})`;
