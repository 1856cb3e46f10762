// The events of one world between and during requests: releases, erasures, losses, failures and their ends.
import type { ManualClock } from '../../../bench/support/manual-clock.ts';
import type { Chance } from '../../support/chance.ts';
import { TEST_REGIONS } from '../../workerd/support/harness.ts';
import type { Colo, Objects } from './caches.ts';
import type { Population } from './population.ts';
import { erase, publish, reweigh, rollBack } from './releases.ts';
import { ORIGIN_TROUBLES, type Tables } from './tables.ts';

interface EventsOptions {
  readonly chance: Chance;
  readonly clock: ManualClock;
  readonly tables: Tables;
  readonly colos: readonly Colo[];
  readonly objects: Objects;
  readonly population: Population;
  readonly isolates: number;
  readonly loseIsolate: (at: number) => void;
}

/** One event, drawn at random. */
export function createEvents(options: EventsOptions): () => void {
  const { chance, clock, tables, colos, objects, population, isolates, loseIsolate } = options;
  const erasable = population.people.filter(({ presence }) => presence === 'erasable');

  function heal(): void {
    tables.troubles.clear();
    objects.trouble = 'none';
    for (const colo of colos) colo.trouble = 'none';
  }

  function eraseOne(): void {
    if (erasable.length === 0) return;
    const { user } = chance.pick(erasable);
    tables.erased.add(user);
    tables.manifest = erase(tables.manifest, user, clock.now());
  }

  function breakOrigin(): void {
    tables.troubles.set(chance.pick(TEST_REGIONS).name, chance.pick(ORIGIN_TROUBLES));
  }

  const events: readonly (() => void)[] = [
    ...Array<() => void>(6).fill(heal),
    ...Array<() => void>(5).fill(() => clock.advance(chance.pick([50, 1_000, 3_000, 6_000, 12_000]))),
    ...Array<() => void>(4).fill(breakOrigin),
    ...Array<() => void>(2).fill(() => {
      tables.manifest = publish(tables.manifest, chance, clock.now());
    }),
    () => {
      tables.manifest = rollBack(tables.manifest, chance);
    },
    () => {
      tables.manifest = reweigh(tables.manifest, chance);
    },
    ...Array<() => void>(2).fill(eraseOne),
    () => {
      chance.pick(colos).trouble = chance.pick(['match', 'put']);
    },
    () => {
      objects.trouble = chance.pick(['missing', 'broken', 'overloaded', 'loses-answers']);
    },
    () => chance.pick(colos).forget(),
    () => objects.lose(),
    () => loseIsolate(chance.below(isolates)),
  ];
  return () => chance.pick(events)();
}
