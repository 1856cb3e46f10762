// Cache-Status (RFC 9211) of a batch: one member for each cache and region that any of its reads asked, with what is true of all of them.
// `detail` counts the reads that got what they asked for there, of those that asked: "97/100".
import { type CacheTrail, type Member, membersOf, objectName, originName, serializeMember } from './cache-status.ts';

type Visit = Omit<Member, 'about'>;

/** `reads` are the trails of each read, `regions` the names of all regions in the order in which the caller asks them. */
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

/** The names from the one closest to the origin: those of the regions as the caller asks them, and then those of the tiers. */
function orderOf(reads: readonly (readonly CacheTrail[])[], regions: readonly string[]): string[] {
  const deepest = reads.flat().reduce<string[]>((names, { tiers }) => {
    return tiers.length > names.length ? tiers.map(({ tier }) => tier) : names;
  }, []);
  return [...regions.flatMap((region) => [originName(region), objectName(region)]), ...deepest.toReversed()];
}

/** What nearly all reads are, one for all of them: a hit in the tier that is asked first. */
const PLAIN_HITS = new Map<string, readonly Visit[]>();

function plainHitOf([trail, ...others]: readonly CacheTrail[]): readonly Visit[] | undefined {
  const asked = trail?.tiers[0];
  const isPlain = others.length === 0 && trail?.tiers.length === 1 && trail.regions.length === 0;
  if (!isPlain || asked?.outcome !== 'hit') return undefined;
  const known = PLAIN_HITS.get(asked.tier);
  if (known !== undefined) return known;
  const visits = [{ name: asked.tier, isHit: true, isAnswer: true, flags: [] }];
  PLAIN_HITS.set(asked.tier, visits);
  return visits;
}

/** One visit per name: a read that asked a cache for its own list and for what stands in was answered there when both were. */
function visitsOf(trails: readonly CacheTrail[]): readonly Visit[] {
  const plainHit = plainHitOf(trails);
  if (plainHit !== undefined) return plainHit;
  const visits = new Map<string, Visit>();
  // Of when they were stored nothing is said, so that the time does not matter.
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

/** `partial` when some were answered from the cache; one reason for all others, or the plainest. */
function forwardOf(visits: readonly Visit[], forwarded: readonly Visit[]): string {
  if (forwarded.length < visits.length) return 'fwd=partial';
  return common(forwarded).find((flag) => flag.startsWith('fwd=')) ?? 'fwd=miss';
}

const common = ([first, ...others]: readonly Visit[]): readonly string[] =>
  (first?.flags ?? []).filter((each) => others.every(({ flags }) => flags.includes(each)));
