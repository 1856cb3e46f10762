// The acts of a run, one number each. Removing a number removes its act and changes no other. The file is long, because
// it holds every kind of event.
import type { Read } from '../../edge/reads/fallback.ts';
import { POPULAR_USER, toName, toUserId } from '../../shared/domain/ids.ts';
import type { Manifest, Surface, Variant } from '../../shared/domain/manifest.ts';
import { type Chance, createChance } from '../support/chance.ts';
import { type Erasure, tellErasures } from './cloud.ts';
import { OBJECT_TROUBLES } from './objects.ts';
import { type Outcome, Violation } from './oracle.ts';
import { TROUBLES } from './origins.ts';
import { FIRST_GENERATION } from './setting.ts';
import { SLOTS, type World } from './world.ts';

type Act = (world: World, chance: Chance) => Promise<void> | void;

/** Likelihoods are relative. */
const ACTS: readonly (readonly [likelihood: number, act: Act])[] = [
  [24, (world, chance) => send(world, chance, [drawRead(world, chance)])],
  [8, sendMany],
  [10, crowd],
  [8, probe],
  [24, wait],
  [4, flip],
  [2, rollBack],
  [2, reweigh],
  [7, erase],
  [4, loadLate],
  [9, breakOrigin],
  [4, overload],
  [5, breakObject],
  [2, breakColo],
  [3, heal],
  [2, (world, chance) => world.loseIsolate(chance.below(SLOTS))],
  [2, loseObject],
  [2, (world, chance) => chance.pick(world.colos).forget(chance, 0.7)],
];

const TOTAL = ACTS.reduce((sum, [likelihood]) => sum + likelihood, 0);

/** Starts the act of `number`. Its work continues in the background. */
export async function perform(world: World, number: number): Promise<void> {
  const chance = createChance(number);
  await drawAct(chance)(world, chance);
  await world.timeline.settle();
}

function drawAct(chance: Chance): Act {
  let left = chance.next() * TOTAL;
  for (const [likelihood, act] of ACTS) {
    left -= likelihood;
    if (left < 0) return act;
  }
  throw new Error('expected the likelihoods to add up');
}

function drawRead({ setting, cloud }: World, chance: Chance): Read {
  const isHot = chance.is(0.6);
  const surface = isHot ? setting.hot.surface : chance.pick(Object.keys(setting.manifest.surfaces));
  const variants = cloud.live().surfaces[surface]?.variants ?? [];
  return {
    user: toUserId(isHot ? setting.hot.user : chance.pick(setting.users)),
    surface: toName(surface),
    fallback: chance.is(0.6) ? 'none' : 'popular',
    variant: chance.is(0.1) ? chance.pick(variants).name : undefined,
    expand: chance.is(0.2) ? 'items' : undefined,
  };
}

const describe = ({ user, surface, variant, fallback, expand }: Read): string =>
  `${user} on ${surface}${expand === undefined ? '' : ' with its items'}${variant === undefined ? '' : ` (${variant})`}${fallback === 'none' ? '' : ' or the popular list'}`;

function send(world: World, chance: Chance, reads: readonly Read[], slot = chance.below(SLOTS)): void {
  world.tell?.(`slot ${slot} is asked for ${reads.map(describe).join(', ')}`);
  void world.ask(slot, reads).then((outcomes = []) => {
    const told = (): string => outcomes.map((outcome) => describeOutcome(outcome, world)).join(', ') || 'nothing';
    world.tell?.(`slot ${slot} answers ${reads.map(describe).join(', ')} with ${told()}`);
  });
}

function describeOutcome(outcome: Outcome, { cloud }: World): string {
  if (outcome.kind === 'error') return outcome.code;
  const read = cloud.originOf(outcome.bytes);
  return `r:${read?.id} (${outcome.source}, of ${read?.key.user}, read at ${read?.readAtMs})`;
}

function sendMany(world: World, chance: Chance): void {
  const count = 2 + chance.below(3);
  send(
    world,
    chance,
    Array.from({ length: count }, () => drawRead(world, chance)),
  );
}

/** Reads the same list, and sometimes another one, from several callers at once. */
function crowd(world: World, chance: Chance): void {
  const read = drawRead(world, chance);
  const slot = chance.below(SLOTS);
  const count = 2 + chance.below(3);
  for (let i = 0; i < count; i++) {
    const reads = [chance.is(0.8) ? read : drawRead(world, chance)];
    send(world, chance, reads, chance.is(0.6) ? slot : undefined);
  }
}

const WAITS: readonly (readonly number[])[] = [
  [1, 2, 5, 20, 40, 100, 200],
  [900, 1_000, 1_100, 2_000, 2_100, 4_000, 4_900, 5_000, 5_100, 9_900, 10_000, 11_000],
  [20_000, 27_000, 30_000, 31_000, 55_000, 58_000, 60_000, 61_000, 75_000, 110_000, 300_000, 610_000],
  [3_300_000, 3_600_000, 7_300_000, 20_000_000, 25_000_000, 80_000_000, 86_300_000, 86_460_000, 90_000_000],
];

async function wait(world: World, chance: Chance): Promise<void> {
  const drawn = chance.next();
  const ms = chance.pick(WAITS[drawn < 0.3 ? 0 : drawn < 0.6 ? 1 : drawn < 0.9 ? 2 : 3] as readonly number[]);
  world.tell?.(`${ms} ms pass`);
  await world.timeline.advance(ms);
}

/**
 * Two reads more than needed: the first may find a list near its end, and the second one an entry that was not stored
 * yet.
 */
const PROBES = 5;

/** After several reads of one list without other events, memory answers the last one. */
async function probe(world: World, chance: Chance): Promise<void> {
  const { timeline, setting } = world;
  if (setting.trouble === 'all') return;
  for (const origin of world.origins) origin.isShedding = false;
  const read = drawRead(world, chance);
  const slot = chance.below(SLOTS);
  world.tell?.(`slot ${slot} is asked for ${describe(read)} again and again`);
  const seen = new Set<string>();
  for (let probes = 0; probes < PROBES; probes++) {
    await timeline.finish();
    const departures = world.departures();
    let isAnswered = false;
    const answer = world.ask(slot, [read]).finally(() => {
      isAnswered = true;
    });
    await timeline.settle();
    if (isAnswered && world.departures() === departures) return;
    await timeline.finish();
    const [outcome] = (await answer) ?? [];
    seen.add(`${world.versionAt(slot)} ${JSON.stringify(outcome?.own)}`);
  }
  // An isolate that learns of a change, or moves to another place, has to load again.
  if (seen.size === 1) throw new Violation(`${describe(read)} is asked for again and again, and never a hit`);
}

function publish({ cloud, timeline, chance }: World, next: Partial<Manifest>): void {
  const nowMs = timeline.clock.now();
  const lagMs = (): number => (chance.is(0.4) ? 0 : chance.below(chance.is(0.7) ? 2_000 : 15_000));
  cloud.publish(next, [nowMs + lagMs(), nowMs + lagMs(), nowMs + lagMs()]);
}

/** Publishes `surface` after `change` has changed each variant. */
function publishSurface(world: World, surface: string, change: (variant: Variant) => Variant): void {
  const { surfaces } = world.cloud.live();
  const changed: Surface = { ...(surfaces[surface] as Surface) };
  publish(world, { surfaces: { ...surfaces, [surface]: { ...changed, variants: changed.variants.map(change) } } });
}

const drawSurface = ({ cloud, setting }: World, chance: Chance): string =>
  chance.is(0.4) ? setting.hot.surface : chance.pick(Object.keys(cloud.live().surfaces));

function flip(world: World, chance: Chance): void {
  const { cloud, timeline, setting } = world;
  const surface = drawSurface(world, chance);
  const nowMs = timeline.clock.now();
  const generation = Math.floor(Math.max(FIRST_GENERATION + 1, nowMs));
  const ramp = chance.is(0.4)
    ? undefined
    : {
        startsAtMs: nowMs + chance.pick([-1_000, 0, 3_000, 10_000]),
        durationMs: chance.pick([0, 5_000, 20_000, 600_000]),
      };
  const isAll = chance.is(0.7);
  const only = chance.pick(cloud.live().surfaces[surface]?.variants ?? []).name;
  world.tell?.(
    `${surface} goes over to generation ${generation}${ramp === undefined ? '' : ` by ${JSON.stringify(ramp)}`}`,
  );
  publishSurface(world, surface, ({ flip: _, previous: __, ...variant }) => {
    if ((!isAll && variant.name !== only) || variant.current >= generation) return variant;
    for (const user of [...setting.users, POPULAR_USER]) {
      if (chance.is(0.6))
        cloud.write({ surface: toName(surface), variant: variant.name, generation, user: toUserId(user) });
    }
    const next = { ...variant, current: generation, previous: variant.current };
    return ramp === undefined ? next : { ...next, flip: ramp };
  });
}

function rollBack(world: World, chance: Chance): void {
  const surface = drawSurface(world, chance);
  world.tell?.(`${surface} goes back to the generation before`);
  publishSurface(world, surface, ({ flip: _, previous, ...variant }) =>
    previous === undefined ? variant : { ...variant, current: previous },
  );
}

function reweigh(world: World, chance: Chance): void {
  const surface = drawSurface(world, chance);
  world.tell?.(`the weights of ${surface} change`);
  const certain = chance.pick(world.cloud.live().surfaces[surface]?.variants ?? []).name;
  publishSurface(world, surface, (variant) => ({
    ...variant,
    weight: variant.name === certain ? 5_000 : chance.pick([0, 2_500, 5_000]),
  }));
}

/** Erases a user during reads that know of the erasure, do not know, or learn of it on their way. */
async function erase(world: World, chance: Chance): Promise<void> {
  const { cloud, timeline, setting, tell } = world;
  const user = chance.is(0.1) ? POPULAR_USER : chance.is(0.5) ? setting.hot.user : chance.pick(setting.users);
  const read: Read = { ...drawRead(world, chance), user: toUserId(user === POPULAR_USER ? setting.hot.user : user) };
  const sendSome = async (): Promise<void> => {
    for (let count = chance.below(3); count > 0; count--) {
      send(world, chance, [read]);
      await timeline.settle();
      for (let steps = chance.below(3); steps > 0; steps--) await timeline.step();
    }
  };
  await sendSome();
  const deletedAtMs = timeline.clock.now();
  cloud.deleteRows(user, deletedAtMs);
  tell?.(`the rows of ${user} are deleted at ${deletedAtMs}`);
  await timeline.advance(1 + chance.below(20));
  const atMs = timeline.clock.now();
  if (chance.is(0.5)) await timeline.advance(chance.below(100));
  const erasure: Erasure = { user, deletedAtMs, atMs, version: cloud.live().version + 1 };
  cloud.noteErasure(erasure);
  publish(world, { erasures: tellErasures(cloud.erasures) });
  tell?.(`version ${erasure.version} tells that ${user} was erased at ${atMs}`);
  if (chance.is(0.3)) world.loseIsolate(chance.below(SLOTS));
  await sendSome();
  if (chance.is(0.4)) await timeline.advance(chance.pick([5_000, 7_000, 9_000, 9_990]));
  await sendSome();
}

/** A user without a list gets one in the live generation. */
function loadLate(world: World, chance: Chance): void {
  const { cloud, setting, tell } = world;
  const surface = drawSurface(world, chance);
  const { name: variant, current: generation } = chance.pick(cloud.live().surfaces[surface]?.variants ?? []);
  const user = chance.pick([...setting.users.map(toUserId), POPULAR_USER]);
  const key = { surface: toName(surface), variant, generation, user };
  if (cloud.has(key)) return;
  tell?.(`${key.user} gets a list on ${surface} (${variant})`);
  cloud.write(key);
}

async function breakOrigin(world: World, chance: Chance): Promise<void> {
  const { setting, origins, tell } = world;
  // Without faults the checks are stricter.
  if (setting.trouble !== 'all') return chance.is(0.4) ? flip(world, chance) : probe(world, chance);
  const trouble = chance.pick(TROUBLES);
  for (const origin of chance.is(0.4) ? origins : [chance.pick(origins)]) {
    origin.trouble = trouble;
    origin.isManifestHit = chance.is(0.5);
    tell?.(`the origin of ${origin.name} ${trouble}${origin.isManifestHit ? ', and so do manifests' : ''}`);
  }
}

/** A shedding origin refuses background reads. It still answers reads with a waiting caller. */
function overload({ setting, origins, tell }: World, chance: Chance): void {
  if (setting.trouble === 'none') return;
  const origin = chance.pick(origins);
  origin.isShedding = true;
  tell?.(`the origin of ${origin.name} sheds background reads`);
}

const pickObject = ({ config }: World['setting'], chance: Chance): string =>
  `${chance.pick(config.regions).name}/${chance.below(config.regionShards)}`;

function breakObject({ setting, objects, tell }: World, chance: Chance): void {
  if (setting.trouble === 'none') return;
  const name = pickObject(setting, chance);
  const trouble = chance.pick(OBJECT_TROUBLES);
  tell?.(`object ${name} ${trouble}`);
  objects.setTrouble(name, trouble);
}

function breakColo({ setting, colos, tell }: World, chance: Chance): void {
  if (setting.trouble === 'none') return;
  const trouble = chance.pick(['reads', 'writes', 'all'] as const);
  tell?.(`a data centre's cache fails: ${trouble}`);
  chance.pick(colos).trouble = trouble;
}

function heal({ origins, objects, colos, tell }: World): void {
  tell?.('everything is in order again');
  for (const origin of origins) {
    origin.trouble = undefined;
    origin.isShedding = false;
  }
  for (const colo of colos) colo.trouble = undefined;
  objects.heal();
}

function loseObject({ setting, objects, tell }: World, chance: Chance): void {
  if (setting.trouble === 'none') return;
  const name = pickObject(setting, chance);
  tell?.(`object ${name} is lost`);
  objects.lose(name);
}
