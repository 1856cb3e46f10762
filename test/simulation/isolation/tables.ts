// The regions' origins behind the worker's `fetch`. Every list carries the mark of its user.
import { encodeItem, ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { encodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { type ListQuery, MANIFEST_PATH } from '../../../shared/wire/read-request.ts';
import { encodeListFrames, type ListResult } from '../../../shared/wire/read-response.ts';
import type { Chance } from '../../support/chance.ts';
import type { Io } from './io.ts';
import type { Population } from './population.ts';

export const ORIGIN_TROUBLES = [
  'refuses',
  503,
  500,
  401,
  429,
  400,
  'hangs',
  'cuts',
  'garbles',
  'drops',
  'sheds',
] as const;
type OriginTrouble = (typeof ORIGIN_TROUBLES)[number];

export interface Tables {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Trouble by the name of the region. */
  readonly troubles: Map<string, OriginTrouble>;
  manifest: Manifest;
  /** Users whose rows are deleted. */
  readonly erased: Set<string>;
}

interface TablesOptions {
  readonly chance: Chance;
  readonly io: Io;
  readonly population: Population;
  readonly manifest: Manifest;
}

const MAX_LIST_ITEMS = 5;

export const itemId = (mark: string, surface: string, variant: string, i: number): string =>
  `${mark}.${surface}.${variant}.${i}`;

export function createTables({ chance, io, population, manifest }: TablesOptions): Tables {
  const lists = new Map<string, ListResult>();

  function read(key: ListQuery): ListResult {
    const person = population.personOf(key.user);
    if (person === undefined || person.presence === 'never' || tables.erased.has(key.user)) return { kind: 'absent' };
    const { surface, variant, generation, expand } = key;
    const digest = `${person.mark}-${surface}-${variant}-${generation.toString(36)}${expand ?? ''}`;
    const known = lists.get(digest);
    if (known !== undefined) return known;
    const items = Array.from({ length: 1 + (digest.charCodeAt(3) % MAX_LIST_ITEMS) }, (_, i) => {
      const item = encodeItem(itemId(person.mark, surface, variant, i), String(1 - i / 10));
      return expand === undefined ? item : `${item.slice(0, -1)},"metadata":{"of":"${person.mark}"}}`;
    });
    const list = { kind: 'list', bytes: encodeUtf8(items.join(ITEM_SEPARATOR)), generation, digest } as const;
    lists.set(digest, list);
    return list;
  }

  function readWith(trouble: OriginTrouble | undefined, key: ListQuery): ListResult {
    if (trouble === 'drops' && chance.is(0.4)) return { kind: 'error', code: chance.pick(['unavailable', 'internal']) };
    if (trouble === 'sheds' && (key.isBackground === true || chance.is(0.5)))
      return { kind: 'error', code: 'overloaded' };
    return read(key);
  }

  function answer(trouble: OriginTrouble | undefined, url: string, body: unknown): Response {
    if (typeof trouble === 'number') return new Response('{}', { status: trouble });
    if (trouble === 'garbles') return new Response('<html>an error page</html>');
    if (url.endsWith(MANIFEST_PATH)) {
      const { manifest: live } = tables;
      return new Response(JSON.stringify(live), { headers: { etag: `"${live.version}"` } });
    }
    const { keys } = JSON.parse(body as string) as { keys: ListQuery[] };
    const bytes = encodeListFrames(keys.map((key) => readWith(trouble, key)));
    return new Response(trouble === 'cuts' ? bytes.subarray(0, -1) : bytes);
  }

  const tables: Tables = {
    manifest,
    troubles: new Map(),
    erased: new Set(),
    fetch: async (url, init) => {
      const trouble = tables.troubles.get(new URL(url).hostname.split('.')[0] ?? '');
      await io.wait();
      if (trouble === 'refuses') throw new TypeError('connection refused');
      if (trouble === 'hangs') return waitForAbort(init.signal);
      const response = answer(trouble, url, init.body);
      await io.wait();
      return response;
    },
  };
  return tables;
}

const waitForAbort = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    else signal?.addEventListener('abort', () => reject(signal.reason));
  });
