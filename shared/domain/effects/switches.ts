// Switches of the manifest: what an operator turns off, or turns down, for some hours. Each ends by itself. A switch or
// a value that this build does not know has no effect.
import type { Manifest } from '../manifest.ts';

export interface Switches {
  readonly isRegionTierOff: boolean;
  readonly isColoTierOff: boolean;
  readonly isHedgingOff: boolean;
  /** Regions that are tried last. */
  readonly avoidedRegions: ReadonlySet<string>;
  /** Share of answers from a cache that are compared with Bigtable. */
  readonly shadowShare: number;
  readonly surfaces: ReadonlyMap<string, SurfaceSwitches>;
  /** Names of the switches that touch every read, joined by `+`; empty for none. */
  readonly common: string;
}

export interface SurfaceSwitches {
  readonly mode?: 'popular' | 'off' | undefined;
  /** Maximum fresh time of its lists in seconds. */
  readonly listTtlSeconds?: number | undefined;
  /** Names of its switches, joined by `+`. */
  readonly names: string;
}

type Effect = (switches: Building, value: string, subject: string) => boolean;

interface Building {
  isRegionTierOff: boolean;
  isColoTierOff: boolean;
  isHedgingOff: boolean;
  shadowShare: number;
  readonly avoidedRegions: Set<string>;
  readonly surfaces: Map<string, SurfaceSwitches>;
  readonly common: string[];
}

const MAX_LIST_TTL_SECONDS = 604_800;

const off =
  (member: 'isRegionTierOff' | 'isColoTierOff' | 'isHedgingOff'): Effect =>
  (to, value) => {
    to[member] ||= value === 'off';
    return value === 'off';
  };

/** The known switches, by the form of their name. An effect returns false for a value that it does not know. */
const EFFECTS: readonly { readonly form: RegExp; readonly expected: string; readonly apply: Effect }[] = [
  { form: /^region-tier$/, expected: 'region-tier=off', apply: off('isRegionTierOff') },
  { form: /^colo-tier$/, expected: 'colo-tier=off', apply: off('isColoTierOff') },
  { form: /^hedging$/, expected: 'hedging=off', apply: off('isHedgingOff') },
  { form: /^region\.([a-z][a-z0-9-]{0,31})$/, expected: 'region.NAME=avoid', apply: avoidRegion },
  {
    form: /^surface\.([a-z][a-z0-9-]{0,31})$/,
    expected: 'surface.NAME=popular or surface.NAME=off',
    apply: (to, value, surface) =>
      (value === 'popular' || value === 'off') && changeSurface(to, surface, { mode: value }, `surface.${surface}`),
  },
  {
    form: /^surface\.([a-z][a-z0-9-]{0,31})\.list-ttl$/,
    expected: `surface.NAME.list-ttl=SECONDS, 1 to ${MAX_LIST_TTL_SECONDS}`,
    apply: (to, value, surface) => {
      const listTtlSeconds = Number(value);
      const isValid = /^[1-9]\d{0,6}$/.test(value) && listTtlSeconds <= MAX_LIST_TTL_SECONDS;
      return isValid && changeSurface(to, surface, { listTtlSeconds }, `surface.${surface}.list-ttl`);
    },
  },
  {
    form: /^shadow$/,
    expected: 'shadow=SHARE, above 0 and at most 1',
    apply: (to, value) => {
      const share = Number(value);
      if (!/^(?:1|0?\.\d{1,6})$/.test(value) || !(share > 0)) return false;
      to.shadowShare = share;
      return true;
    },
  },
];

/** The forms of all switches, for an error or a help text. */
export const SWITCH_FORMS: readonly string[] = EFFECTS.map(({ expected }) => expected);

/** Whether this build knows the switch and its value. */
export const isKnownSwitch = (name: string, value: string): boolean => apply(emptyBuilding(), name, value);

interface Evaluated {
  readonly switches: Switches | undefined;
  /** The next end of a switch. */
  readonly untilMs: number;
}

const evaluated = new WeakMap<object, Evaluated>();

/** The switches that are on at `nowMs`; undefined for none. Costs a look-up until the next one ends. */
export function switchesAt({ switches: named }: Manifest, nowMs: number): Switches | undefined {
  if (named === undefined) return undefined;
  const known = evaluated.get(named);
  if (known !== undefined && nowMs < known.untilMs) return known.switches;
  const live = Object.entries(named).filter(([, { untilMs }]) => nowMs < untilMs);
  const building = emptyBuilding();
  for (const [name, { value }] of live) apply(building, name, value);
  const untilMs = Math.min(Number.POSITIVE_INFINITY, ...live.map(([, each]) => each.untilMs));
  const switches = live.length === 0 ? undefined : { ...building, common: building.common.join('+') };
  evaluated.set(named, { switches, untilMs });
  return switches;
}

/** Names of the switches that touch reads of `surface`, as one token; undefined for none. */
export function namesFor({ common, surfaces }: Switches, surface: string): string | undefined {
  const own = surfaces.get(surface)?.names ?? '';
  return [own, common].filter(Boolean).join('+') || undefined;
}

function apply(to: Building, name: string, value: string): boolean {
  for (const { form, apply: effect } of EFFECTS) {
    const found = form.exec(name);
    if (found === null) continue;
    const isApplied = effect(to, value, found[1] ?? '');
    if (isApplied && !name.startsWith('surface.')) to.common.push(name);
    return isApplied;
  }
  return false;
}

function avoidRegion(to: Building, value: string, region: string): boolean {
  if (value !== 'avoid') return false;
  to.avoidedRegions.add(region);
  return true;
}

function changeSurface(to: Building, surface: string, change: Partial<SurfaceSwitches>, name: string): boolean {
  const known = to.surfaces.get(surface);
  const names = known === undefined ? name : `${known.names}+${name}`;
  to.surfaces.set(surface, { ...known, ...change, names });
  return true;
}

const emptyBuilding = (): Building => ({
  ...{ isRegionTierOff: false, isColoTierOff: false, isHedgingOff: false, shadowShare: 0 },
  ...{ avoidedRegions: new Set(), surfaces: new Map(), common: [] },
});
