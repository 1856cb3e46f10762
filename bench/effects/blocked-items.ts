// Cost of the largest block list: CPU of later hits on lists that lost an item, and the time that the first hit on a
// list needs for its filter after each change of the block list.
import { createBlockFilter } from '../../edge/reads/block-filter.ts';
import { type BlockedItem, MAX_BLOCKED_ITEMS, makeBlockList } from '../../shared/domain/effects/block-list.ts';
import { DOCUMENT_FORMAT, type LiveManifest, nameDocument } from '../../shared/domain/effects/documents.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { EdgeRig } from '../rigs/edge-rig.ts';
import { startListOrigin } from '../rigs/list-origin.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { generationDaysAgo } from '../support/generation-days-ago.ts';
import { median } from '../support/statistics.ts';
import { type HitCost, measureHits } from './hit-cost.ts';

/** Changes of the block list: each makes the filter look through every list again. */
const CHANGES = 200;
/** Place of the blocked item in each list. */
const BLOCKED_AT = 3;

interface BlockedCost {
  readonly hits: HitCost;
  /** Time of a filter that looks a list through, of one that knows the list, and of one without blocked items. */
  readonly firstMicros: number;
  readonly laterMicros: number;
  readonly noneMicros: number;
}

export async function measureBlocked(rig: EdgeRig, cleanup: Cleanup): Promise<BlockedCost> {
  const idsOf = rig.bodies.map((body) => readIds(body));
  const lost = idsOf.map((ids) => ids[BLOCKED_AT] ?? '');
  const fill = Array.from({ length: MAX_BLOCKED_ITEMS - new Set(lost).size }, (_, i) => `blocked:${i}`);
  const items: BlockedItem[] = [...new Set(lost), ...fill].map((id) => [id, null]);
  const origin = await startListOrigin();
  cleanup.add(origin.stop);
  const name = nameDocument({ kind: 'blocked', version: '1' });
  const json = JSON.stringify({ format: DOCUMENT_FORMAT, items });
  origin.publish({ documents: { blocked: '1' } }, new Map([[name, json]]));
  const hits = await measureHits(rig, origin, ({ body }, i) => {
    const expected = idsOf[i]?.filter((id) => id !== lost[i]) ?? [];
    const got = readIds(body);
    if (got.join() !== expected.join()) throw new Error(`expected a list without ${lost[i]}, got ${got.join(', ')}`);
  });
  return { hits, ...measureFilter(rig, items) };
}

/** The filter alone, over the lists of the rig's users. */
function measureFilter({ bodies }: EdgeRig, items: readonly BlockedItem[]): Omit<BlockedCost, 'hits'> {
  const generation = generationDaysAgo(1);
  const lists = bodies.map((body, i): StoredList => {
    const { items: stored } = JSON.parse(body.toString()) as { items: unknown[] };
    const bytes = encodeUtf8(stored.map((item) => JSON.stringify(item)).join(',\n'));
    return { kind: 'list', bytes, generation, digest: String(i) };
  });
  const filter = createBlockFilter();
  const nowMs = systemClock.now();
  const microsOf = (manifest: LiveManifest, shortened: number): number => {
    const startedAtMs = performance.now();
    let count = 0;
    for (const list of lists) if (filter(list, manifest, nowMs) !== list) count += 1;
    const micros = ((performance.now() - startedAtMs) * 1000) / lists.length;
    if (count !== shortened) throw new Error(`expected ${shortened} shortened lists, got ${count}`);
    return micros;
  };
  const none: LiveManifest = { version: 1, surfaces: {}, erasures: [] };
  const rounds = Array.from({ length: CHANGES }, () => {
    const changed: LiveManifest = { ...none, held: { erasures: [], blocked: makeBlockList(items) } };
    // The set of a block list is made once for all lists.
    changed.held?.blocked.at(nowMs);
    return {
      first: microsOf(changed, lists.length),
      later: microsOf(changed, lists.length),
      without: microsOf(none, 0),
    };
  });
  return {
    firstMicros: median(rounds.map(({ first }) => first)),
    laterMicros: median(rounds.map(({ later }) => later)),
    noneMicros: median(rounds.map(({ without }) => without)),
  };
}

function readIds(body: Buffer): string[] {
  const { items } = JSON.parse(body.toString()) as { items: { id: string }[] };
  return items.map(({ id }) => id);
}
