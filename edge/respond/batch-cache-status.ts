// Cache-Status (RFC 9211) of a batch: one member for each cache and region that a read asked, with the parameters that
// all of them share. `detail` counts the reads that it answered, of the reads that asked it: "97/100".
import type { CacheTrail } from '../reads/trail.ts';
import { type Member, membersOf, objectName, originName, serializeMember } from './cache-status.ts';

type Visit = Omit<Member, 'own'>;

/** `reads` are the trails of each read, `regions` the names of all regions in the caller's order. */
export function serializeBatchCacheStatus(
  reads: readonly (readonly CacheTrail[])[],
  regions: readonly string[],
): string {
  const visits = Map.groupBy(reads.flatMap(visitsOf), ({ name }) => name);
  const order = orderOf(reads, regions);
  return [...visits]
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([name, those]) => summarize(name, those))
    .join(', ');
}

/** The names from the one closest to the origin: the regions in the caller's order, then the tiers. */
function orderOf(reads: readonly (readonly CacheTrail[])[], regions: readonly string[]): string[] {
  const deepest = reads.flat().reduce<string[]>((names, { tiers }) => {
    return tiers.length > names.length ? tiers.map(({ tier }) => tier) : names;
  }, []);
  return [...regions.flatMap((region) => [originName(region), objectName(region)]), ...deepest.toReversed()];
}

/** One shared visit per tier for the most frequent read, a hit in the first tier. */
const SINGLE_HITS = new Map<string, readonly Visit[]>();

function singleHitOf([trail, ...others]: readonly CacheTrail[]): readonly Visit[] | undefined {
  const lookup = trail?.tiers[0];
  const isSingle = others.length === 0 && trail?.tiers.length === 1 && trail.regions.length === 0;
  if (!isSingle || lookup?.outcome !== 'hit') return undefined;
  const known = SINGLE_HITS.get(lookup.tier);
  if (known !== undefined) return known;
  const visits = [{ name: lookup.tier, isHit: true, isAnswer: true, flags: [] }];
  SINGLE_HITS.set(lookup.tier, visits);
  return visits;
}

/** One visit per name. A read that asked a cache for its list and for a fallback was answered there if both were. */
function visitsOf(trails: readonly CacheTrail[]): readonly Visit[] {
  const singleHit = singleHitOf(trails);
  if (singleHit !== undefined) return singleHit;
  const visits = new Map<string, Visit>();
  // Visits carry no times, so any moment will do.
  for (const visit of trails.flatMap((trail) => membersOf(trail, 0))) {
    const before = visits.get(visit.name);
    visits.set(visit.name, before === undefined ? visit : join(before, visit));
  }
  return [...visits.values()];
}

const join = (a: Visit, b: Visit): Visit => ({
  ...a,
  isHit: a.isHit && b.isHit,
  isAnswer: a.isAnswer && b.isAnswer,
  flags: a.isHit ? b.flags : b.isHit ? a.flags : common([a, b]),
});

function summarize(name: string, visits: readonly Visit[]): string {
  const forwarded = visits.filter(({ isHit }) => !isHit);
  const answers = visits.filter(({ isAnswer }) => isAnswer).length;
  const detail = `detail="${answers}/${visits.length}"`;
  if (forwarded.length === 0) return serializeMember(name, ['hit', detail]);
  const shared = common(forwarded).filter((parameter) => !parameter.startsWith('fwd='));
  return serializeMember(name, [forwardOf(visits, forwarded), ...shared, detail]);
}

/** `partial` if some reads were hits; else the reason that all share, or `miss`. */
function forwardOf(visits: readonly Visit[], forwarded: readonly Visit[]): string {
  if (forwarded.length < visits.length) return 'fwd=partial';
  return common(forwarded).find((flag) => flag.startsWith('fwd=')) ?? 'fwd=miss';
}

const common = ([first, ...others]: readonly Visit[]): readonly string[] =>
  (first?.flags ?? []).filter((each) => others.every(({ flags }) => flags.includes(each)));
