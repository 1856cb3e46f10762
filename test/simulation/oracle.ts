// The judge of every answer. It knows the table reads with their times, the manifests and the erasures. It uses none of
// the tested code.
import type { Read } from '../../edge/reads/fallback.ts';
import { POPULAR_SURFACE, POPULAR_USER } from '../../shared/domain/ids.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Cloud, TableRead } from './cloud.ts';
import type { Setting } from './setting.ts';

export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A key as stated by an answer, which may omit the requested generation. */
export type ToldKey = Omit<ListKey, 'generation'> & { readonly generation: number | undefined };

/** An answer as its caller sees it. */
export type Outcome =
  | {
      readonly kind: 'list';
      readonly bytes: Uint8Array;
      /** The generation of the list according to the answer. */
      readonly generation: number;
      readonly own: ToldKey;
      readonly source: 'personal' | 'popular';
      /** Undefined for the user's own list, and if the answer does not state it. */
      readonly fallbackReason: 'absent' | 'unreachable' | undefined;
    }
  | {
      readonly kind: 'error';
      readonly code: EarshotError['code'];
      /** Undefined if the answer does not state it. */
      readonly own: ListKey | undefined;
    };

export interface Asking {
  readonly beganAtMs: number;
  readonly deadlineAtMs: number;
  /** The time at which the manifest was available, if known. */
  readonly chosenAtMs: number;
  /** The lowest version that the isolate had, and the newest one that it may have used. */
  readonly from: number;
  readonly to: number;
}

/**
 * As documented: Entry (shared/caching/entry.ts), lifetimes (shared/caching/lifetime.ts) and the manifest
 * (edge/manifest/store.ts).
 */
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const ABSENT_MS = 30_000;
const ITEMS_MS = 300_000;
const ABSENT_WINDOW_MS = 600_000;
const MANIFEST_BOUND_MS = 10_000;

export interface Oracle {
  /** Throws a Violation if `read` must not get `outcome` at `nowMs`. */
  judge(read: Read, outcome: Outcome, asking: Asking, nowMs: number): void;
  /** Throws a Violation if an isolate with `manifest` must not store, at `nowMs`, a value loaded since `storedAtMs`. */
  judgeStore(owner: string, key: ListKey, storedAtMs: number, manifest: Manifest, nowMs: number): void;
  /** Throws a Violation if a request must not fail in this way. */
  judgeFailure(error: unknown): void;
  /** Throws a Violation if an answer at `nowMs` is too late for `deadlineAtMs`. */
  judgeTime(deadlineAtMs: number, nowMs: number): void;
  /** Throws a Violation if a read that began at `beganAtMs` must not use `version` any more. */
  judgeManifest(isolate: string, version: number, beganAtMs: number): void;
}

const demand = (isSo: boolean, what: () => string): void => {
  if (!isSo) throw new Violation(what());
};

export function createOracle({ trouble, manifest: first, legMs, config }: Setting, cloud: Cloud): Oracle {
  /** After its deadline a read may still look up a fallback in the colo cache. */
  const slackMs = 4 * legMs + 50;
  /** An answer may have waited for others of its batch, which its deadline ends. */
  const waitMs = config.requestDeadlineMs + slackMs;
  const isReachable = trouble !== 'all';

  const manifestOf = (version: number): Manifest | undefined => cloud.versions[version - first.version]?.manifest;

  function somewhere(asking: Asking, isSo: (manifest: Manifest) => boolean): boolean {
    for (let version = asking.from; version <= asking.to; version++) {
      const manifest = manifestOf(version);
      if (manifest !== undefined && isSo(manifest)) return true;
    }
    return false;
  }

  /** The earliest allowed read time of a served list, by the erasures that its reader has to know. */
  function erasedAtMs(user: string, asking: Asking): number {
    let latest = 0;
    for (const { user: erased, atMs, version } of cloud.erasures) {
      if (erased !== user) continue;
      const isHeld = version <= asking.from;
      const isDue = isReachable && everywhereFromMs(version) + MANIFEST_BOUND_MS + legMs < asking.beganAtMs;
      if (isHeld || isDue) latest = Math.max(latest, atMs);
    }
    return latest;
  }

  const everywhereFromMs = (version: number): number =>
    Math.max(...(cloud.versions[version - first.version]?.visibleAtMs ?? [Number.POSITIVE_INFINITY]));

  function judgeList(read: TableRead, asking: Asking, nowMs: number): void {
    const what = (): string => `list r:${read.id} of ${JSON.stringify(read.key)}, read in ${read.region}`;
    const ttlMs = (first.surfaces[read.key.surface]?.listTtlSeconds ?? 0) * 1000;
    const ageMs = nowMs - read.readAtMs;
    const boundMs = ttlMs + (isReachable ? Math.min(ttlMs, HOUR_MS) : DAY_MS) + waitMs;
    demand(ageMs <= boundMs, () => `${what()} is ${ageMs} ms old, and may be ${boundMs}`);
    if (read.itemsReadAtMs !== undefined) {
      const itemsAgeMs = nowMs - read.itemsReadAtMs;
      const itemsBoundMs = ITEMS_MS + (isReachable ? Math.min(ttlMs, ITEMS_MS) : DAY_MS) + waitMs;
      demand(itemsAgeMs <= itemsBoundMs, () => `items of ${what()} are ${itemsAgeMs} ms old, may be ${itemsBoundMs}`);
    }
    const erased = erasedAtMs(read.key.user, asking);
    demand(
      read.readAtMs >= erased,
      () => `${what()} was read at ${read.readAtMs}, before its user's erasure at ${erased}`,
    );
  }

  function judgeAbsence(key: ListKey, asking: Asking, nowMs: number): void {
    const boundMs = ABSENT_MS + (isReachable ? 0 : ABSENT_WINDOW_MS) + waitMs;
    const fromMs = Math.max(nowMs - boundMs, erasedAtMs(key.user, asking));
    demand(
      cloud.absencesOf(key).some((atMs) => atMs >= fromMs),
      () => `${JSON.stringify(key)} is said to be absent, and no table was without it since ${fromMs}`,
    );
  }

  /** Whether the list of `key` belongs to the popular surface. */
  function judgeAnywhere(key: ListKey, own: ListKey, asking: Asking, nowMs: number): void {
    const times = [asking.chosenAtMs, nowMs];
    const isLiveThen = (manifest: Manifest): boolean => times.some((atMs) => isLive(manifest, key, atMs, undefined));
    demand(
      key.surface === POPULAR_SURFACE && somewhere(asking, isLiveThen),
      () => `${JSON.stringify(key)} stands in for ${JSON.stringify(own)}`,
    );
  }

  function judgeTime(deadlineAtMs: number, nowMs: number): void {
    const lateMs = nowMs - deadlineAtMs;
    demand(lateMs <= slackMs, () => `the answer came ${lateMs} ms after its deadline`);
  }

  function judgeError(what: string, code: string): void {
    demand(code === 'unavailable' && !isReachable, () => `${what} ended with ${code}`);
  }

  /** Whether the requested key is the user's, with a live variant and generation. */
  function judgeOwn({ user, surface, variant }: Read, own: ListKey, asking: Asking, nowMs: number): void {
    demand(
      own.user === user && own.surface === surface,
      () => `${JSON.stringify(own)} is read for ${user} on ${surface}`,
    );
    const times = [asking.chosenAtMs, nowMs];
    const isSome = somewhere(asking, (manifest) => times.some((atMs) => isLive(manifest, own, atMs, variant)));
    demand(isSome, () => `${JSON.stringify(own)} is not live in versions ${asking.from} to ${asking.to}`);
  }

  /** Whether the list has the previous generation: it may replace the live one after a failure. */
  const isPrevious = ({ surface, variant, generation }: ListKey, asking: Asking): boolean =>
    somewhere(
      asking,
      ({ surfaces }) => surfaces[surface]?.variants.find(({ name }) => name === variant)?.previous === generation,
    );

  function judgeServed(
    asked: Read,
    { bytes, generation, own: told, source, fallbackReason }: Extract<Outcome, { kind: 'list' }>,
    asking: Asking,
    nowMs: number,
  ): void {
    const read = cloud.originOf(bytes);
    if (read === undefined) throw new Violation('the answer holds bytes that no table gave');
    const { key, cell } = read;
    const own = { ...told, generation: told.generation ?? key.generation };
    const isSame = key.surface === own.surface && key.variant === own.variant && key.generation === own.generation;
    demand(generation === cell.generation, () => `generation ${generation} is told of a list of ${cell.generation}`);
    judgeList(read, asking, nowMs);
    // After a failure a list may come without its item metadata.
    const isAsExpanded = key.expand === asked.expand || (source === 'personal' && !isReachable && !key.expand);
    demand(isAsExpanded, () => `${JSON.stringify(asked)} is answered with ${JSON.stringify(key)}`);
    if (source === 'personal') {
      const what = (): string => `${JSON.stringify(own)} is answered with the list of ${JSON.stringify(key)}`;
      const isOfUser = key.user === own.user && key.surface === own.surface && key.variant === own.variant;
      const isBefore = !isReachable && isPrevious(key, asking);
      demand(isOfUser && (isSame || isBefore), what);
      if (told.generation !== undefined || !isBefore) judgeOwn(asked, own, asking, nowMs);
      return;
    }
    demand(asked.fallback === 'popular', () => 'the popular list stands in for one who did not want it');
    demand(key.user === POPULAR_USER, () => `the popular list that stands in is that of ${key.user}`);
    if (!isSame) judgeAnywhere(key, own, asking, nowMs);
    if (told.generation !== undefined) judgeOwn(asked, own, asking, nowMs);
    if (fallbackReason === 'absent') judgeAbsence(own, asking, nowMs);
    if (fallbackReason === 'unreachable')
      demand(!isReachable, () => `${JSON.stringify(own)} is unreachable while nothing fails`);
  }

  return {
    judgeTime,
    judge: (read, outcome, asking, nowMs) => {
      judgeTime(asking.deadlineAtMs, nowMs);
      if (outcome.kind === 'list') return judgeServed(read, outcome, asking, nowMs);
      const { own, code } = outcome;
      if (code !== 'no_recommendations') return judgeError(`the read of ${read.user}`, code);
      if (own === undefined) return;
      judgeOwn(read, own, asking, nowMs);
      judgeAbsence(own, asking, nowMs);
      if (read.fallback === 'popular') judgeAbsence({ ...own, user: POPULAR_USER }, asking, nowMs);
    },
    judgeFailure: (error) => judgeError('a request', error instanceof EarshotError ? error.code : String(error)),
    judgeStore: (owner, key, storedAtMs, manifest, nowMs) => {
      const what = (): string => `${owner} stores ${JSON.stringify(key)}, loaded at ${storedAtMs}`;
      for (const { user, atMs, version } of cloud.erasures) {
        const isOvertaken = user === key.user && version <= manifest.version && storedAtMs < atMs;
        demand(!isOvertaken, () => `${what()}, though it knows of the erasure at ${atMs}`);
      }
      // A previewer may read a variant without weight.
      const isStillLive = isLive(manifest, key, nowMs, key.variant);
      demand(isStillLive, () => `${what()}, which is not live in version ${manifest.version}`);
    },
    judgeManifest: (isolate, version, beganAtMs) => {
      if (!isReachable) return;
      const dueFromMs = beganAtMs - MANIFEST_BOUND_MS - legMs;
      const due = cloud.versions.findLast(({ visibleAtMs }) => Math.max(...visibleAtMs) < dueFromMs);
      const isKnown = due === undefined || version >= due.manifest.version;
      demand(
        isKnown,
        () => `${isolate} goes by version ${version} at ${beganAtMs}, and ${due?.manifest.version} is due`,
      );
    },
  };
}

/** Whether `manifest` allows a user on the list of `key` at `nowMs`. A previewer may be on a variant without weight. */
function isLive(manifest: Manifest, key: ListKey, nowMs: number, previewed: string | undefined): boolean {
  const variant = manifest.surfaces[key.surface]?.variants.find(({ name }) => name === key.variant);
  if (variant === undefined || (previewed === undefined ? variant.weight === 0 : previewed !== key.variant))
    return false;
  const { current, previous, flip } = variant;
  const share = flip === undefined ? 1 : (nowMs - flip.startsAtMs) / Math.max(1, flip.durationMs);
  if (key.generation === current) return previous === undefined || share >= 0;
  return key.generation === previous && share < 1;
}
