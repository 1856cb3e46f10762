// Proof that nothing of erased users is served: from the edge of the local cloud, from each origin, and from each
// cluster. Without a known edge or origins, the proof says so. A read that fails proves nothing: it is repeated.
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { mintOriginToken } from '../../shared/wire/origin-token.ts';
import { LISTS_READ_PATH } from '../../shared/wire/read-request.ts';
import { decodeListFrames } from '../../shared/wire/read-response.ts';
import { type Retries, withRetries } from '../bigtable/retry.ts';
import { type ConnectionFlags, findTargetCloud } from '../cli/settings.ts';
import { readLive } from '../release/live.ts';
import { mintToken } from '../token/mint-token.ts';
import { type EraseDeps, findHiddenByOthers } from './erase.ts';
import { findRows } from './user-rows.ts';

const READS_PER_CALL = 100;
const TOKEN_LIFETIME_MS = 600_000;

/** One line of what was read. Throws an Error that names each place which still has something. */
export async function verifyErased(
  deps: EraseDeps,
  id: string,
  users: readonly UserId[],
  flags: ConnectionFlags,
): Promise<string> {
  const { control, regions, origins } = deps;
  const found: string[] = [];
  const read: string[] = [];
  for (const region of regions) {
    const rows = await findRows(control, region, users);
    if (rows.length > 0) found.push(`the cluster of ${region} has ${rows.length} rows`);
  }
  read.push(`the clusters of ${regions.join(', ')}`);
  const live = await readLive(control);
  const surfaces = surfacesOf(live);
  for (const { name, origin } of origins?.regions ?? []) {
    const lists = await readOrigin(
      { origin, region: name, secret: origins?.secret ?? '', retries: control.retries },
      users,
      surfaces,
    );
    if (lists > 0) found.push(`the origin of ${name} has ${lists} lists`);
    read.push(`the origin of ${name}`);
  }
  const local = findTargetCloud(flags);
  if (local !== undefined) {
    const lists = await readEdge({ ...local, retries: control.retries }, users, surfaces);
    if (lists > 0) found.push(`the edge has ${lists} lists`);
    read.push('the edge');
  }
  if (found.length > 0) throw new Error(`expected nothing of the users, got: ${found.join('; ')}`);
  const hidden = await findHiddenByOthers(control, id);
  const unread = [
    ...(origins === undefined ? ['no origin was read, because none is known here'] : []),
    ...(local === undefined ? ['no edge and its caches were read, because none is known here'] : []),
    ...unreadSurfaces(live, control.retries.clock.now()),
    ...(users.some((user) => hidden.has(user)) ? ['the edge asks no cache for users whom another erasure hides'] : []),
  ];
  return `verified: nothing of them in ${[read.join(', '), ...unread].join('; ')}\n`;
}

/** Under these switches the edge reads no list of a user. */
function unreadSurfaces({ switches = {} }: Manifest, nowMs: number): string[] {
  const on = Object.entries(switches).filter(([, { untilMs }]) => nowMs < untilMs);
  const names = on.map(([name, { value }]) => `${name}=${value}`);
  const hiding = names.filter((each) => /^surface\.[^.=]+=(popular|off)$/.test(each));
  return hiding.length === 0 ? [] : [`the edge reads no list of a user under ${hiding.join(', ')}`];
}

interface LiveSurface {
  readonly surface: string;
  readonly variant: string;
  readonly generation: number;
}

const surfacesOf = ({ surfaces }: Awaited<ReturnType<typeof readLive>>): LiveSurface[] =>
  Object.entries(surfaces).flatMap(([surface, { variants }]) =>
    variants.map(({ name, current }) => ({ surface, variant: name, generation: current })),
  );

interface AskedOrigin {
  readonly origin: string;
  readonly region: string;
  readonly secret: string;
  readonly retries: Retries;
}

/** Number of lists of the users that the origin answers with. */
async function readOrigin(
  { origin, region, secret, retries }: AskedOrigin,
  users: readonly UserId[],
  surfaces: readonly LiveSurface[],
): Promise<number> {
  let lists = 0;
  for (const keys of partsOf(keysOf(users, surfaces))) {
    // A token lives for minutes, and a large erasure takes longer.
    const nowMs = retries.clock.now();
    const authorization = `Bearer ${await mintOriginToken(secret, { subject: 'earshot', region, nowMs })}`;
    const asked = { place: `the origin of ${region}`, url: `${origin}${LISTS_READ_PATH}`, authorization };
    lists += await post(retries, { ...asked, body: { keys } }, async (response) => {
      const results = decodeListFrames(new Uint8Array(await response.arrayBuffer()), keys.length);
      const failed = results.find((result) => result.kind === 'error' && result.code !== 'answer_too_large');
      if (failed !== undefined) throw unread(asked.place, JSON.stringify(failed));
      return results.filter(({ kind }) => kind !== 'absent').length;
    });
  }
  return lists;
}

const keysOf = (users: readonly UserId[], surfaces: readonly LiveSurface[]) =>
  users.flatMap((user) => surfaces.map((surface) => ({ ...surface, user })));

/** Number of personal lists that the edge answers with. */
async function readEdge(
  {
    edgeUrl,
    tokenSecret,
    retries,
  }: { readonly edgeUrl: string; readonly tokenSecret: string; readonly retries: Retries },
  users: readonly UserId[],
  surfaces: readonly LiveSurface[],
): Promise<number> {
  const claims = { user: 'service:verify', scope: ['recs:read:any'], audience: LISTENER_AUDIENCE };
  const names = [...new Set(surfaces.map(({ surface }) => surface))];
  const reads = users.flatMap((user) => names.map((surface) => ({ user, surface, limit: 1 })));
  let lists = 0;
  for (const part of partsOf(reads)) {
    const token = await mintToken({ ...claims, expires: TOKEN_LIFETIME_MS }, tokenSecret);
    const asked = { place: 'the edge', url: `${edgeUrl}/v1/recommendations:batch`, authorization: `Bearer ${token}` };
    lists += await post(retries, { ...asked, body: { reads: part } }, async (response) => {
      const { results } = (await response.json()) as { results: { status: number; source?: string }[] };
      const failed = results.find(({ status }) => status !== 200 && status !== 404);
      if (failed !== undefined) throw unread(asked.place, JSON.stringify(failed));
      return results.filter(({ source }) => source === 'personal').length;
    });
  }
  return lists;
}

interface Question {
  /** Where the answer comes from, in words. */
  readonly place: string;
  readonly url: string;
  readonly authorization: string;
  readonly body: object;
}

/** The result of `read` for the answer. The question is repeated for as long as one to Bigtable. */
const post = <T>(
  retries: Retries,
  { place, url, authorization, body }: Question,
  read: (response: Response) => Promise<T>,
): Promise<T> =>
  withRetries(retries, async (timeoutMs) => {
    const init = { method: 'POST', headers: { authorization, 'content-type': 'application/json' } };
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { ...init, signal, body: JSON.stringify(body) }).catch((error: unknown) => {
      throw unread(place, (error as Error).message);
    });
    if (response.status >= 500) throw unread(place, `status ${response.status}`);
    if (response.status !== 200) throw new Error(`expected status 200 of ${place}, got ${response.status}`);
    return read(response);
  });

const unread = (place: string, got: string): EarshotError =>
  new EarshotError('unavailable', 'origin', `expected an answer of ${place}, got ${got}`);

function* partsOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += READS_PER_CALL) yield all.slice(from, from + READS_PER_CALL);
}
