// An instance with three clusters, the lists of some days and a manifest, for tests of the gate.
import { createBulkWriter } from '../../../../ops/bigtable/writes/bulk-writer.ts';
import { checkRelease, type GateOptions } from '../../../../ops/release/gate/check-release.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { FAMILIES, JSON_QUALIFIER, makeItemRowKey, makeRowKey, TABLES } from '../../../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../../shared/domain/list.ts';
import type { Manifest, Variant } from '../../../../shared/domain/manifest.ts';
import type { Release } from '../../../../shared/domain/release.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';
import type { Day } from '../../../unit/ops/release/sampled-days.ts';
import { controlOf, MONDAY, manifestOf, REGIONS, recordLoad, startInstance, TUESDAY } from '../../origin/instance.ts';

const home = { surface: toName('home'), variant: toName('control') };
export const releaseOf = (generation: number): Release => ({ ...home, generation });

/** home/control with Monday live, and the given parts. */
export const manifestWith = (variant: Partial<Variant> = {}, checks?: Record<string, number>): Manifest => {
  const { surfaces, ...rest } = manifestOf(1);
  const surface = surfaces.home as (typeof surfaces)[string];
  const variants = surface.variants.map((each) => ({ ...each, ...variant }));
  return { ...rest, surfaces: { home: { ...surface, ...(checks && { checks }), variants } } };
};

export async function startGate() {
  const { bigtable, server } = await startInstance();
  const control = controlOf(bigtable);

  const write = async (
    cells: readonly { rowKey: string; value: string }[],
    column: Parameters<typeof createBulkWriter>[1],
  ) => {
    const writer = createBulkWriter(bigtable, column);
    for (const cell of cells) await writer.write(cell);
    await writer.flush();
  };
  const common = { appProfile: 'ingest', clock: systemClock, random: Math.random };

  return {
    bigtable,
    control,
    server,
    /** Writes lists without a record. */
    writeLists: (generation: number, day: Day) =>
      write(
        [...day].map(([user, items]) => ({
          rowKey: makeRowKey(toUserId(user)),
          value: items.map(({ id, score }) => encodeItem(id, String(score))).join(ITEM_SEPARATOR),
        })),
        {
          ...common,
          table: TABLES.recommendations,
          family: FAMILIES.lists,
          qualifier: 'home/control',
          timestampMs: generation,
        },
      ),
    record: (generation: number, day: Day) =>
      recordLoad(bigtable, releaseOf(generation), { state: 'loaded', lists: day.size, rejected: 0 }),
    writeItems: (day: Day) =>
      write(
        [...new Set([...day.values()].flatMap((items) => items.map(({ id }) => id)))].map((id) => ({
          rowKey: makeItemRowKey(id),
          value: `{"name":"${id}"}`,
        })),
        {
          ...common,
          table: TABLES.items,
          family: FAMILIES.metadata,
          qualifier: JSON_QUALIFIER,
          timestampMs: MONDAY,
        },
      ),
    check: (options: Partial<GateOptions> = {}, generation = TUESDAY) =>
      checkRelease(control, releaseOf(generation), { manifest: manifestWith(), regions: REGIONS, ...options }),
  };
}

export type Gate = Awaited<ReturnType<typeof startGate>>;

/** Monday live with its items, and Tuesday loaded. */
export async function startTuesday(monday: Day, tuesday: Day): Promise<Gate> {
  const gate = await startGate();
  await Promise.all([
    gate.writeItems(monday),
    gate.writeLists(MONDAY, monday),
    gate.writeLists(TUESDAY, tuesday),
    gate.record(MONDAY, monday),
    gate.record(TUESDAY, tuesday),
  ]);
  return gate;
}
