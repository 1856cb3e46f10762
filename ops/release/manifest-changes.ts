// The changes of the manifest by the steps of a release: pure functions, so a dry run can show them. A change that
// changes nothing returns the same object.
import { formatGeneration } from '../../shared/domain/generation.ts';
import { extendLineage } from '../../shared/domain/lineage.ts';
import {
  DEFAULT_LIST_TTL_SECONDS,
  type Flip,
  FULL_WEIGHT,
  MAX_VARIANTS,
  type Manifest,
  type Surface,
  type Variant,
} from '../../shared/domain/manifest.ts';
import { isItems, type Line, nameLine, nameRelease, type Release } from '../../shared/domain/release.ts';
import { isRamping } from '../../shared/domain/rollout.ts';

export const findVariant = (manifest: Manifest, { surface, variant }: Line): Variant | undefined =>
  Object.hasOwn(manifest.surfaces, surface)
    ? manifest.surfaces[surface]?.variants.find(({ name }) => name === variant)
    : undefined;

/** Throws an Error for a variant that is not live. */
export function requireVariant(manifest: Manifest, line: Line): Variant {
  const variant = findVariant(manifest, line);
  if (variant !== undefined) return variant;
  const known = Object.entries(manifest.surfaces).flatMap(([surface, { variants }]) =>
    variants.map(({ name }) => `${surface}/${name}`),
  );
  throw new Error(
    `expected a live variant, got ${nameLine(line)} (${known.length === 0 ? 'none is' : `live are ${known.join(', ')}`})`,
  );
}

/** `manifest` with `next` in the place of the variant, or as a new one. */
export function withVariant(manifest: Manifest, { surface: name }: Line, next: Variant): Manifest {
  const surface: Surface = manifest.surfaces[name] ?? {
    salt: `${name}-1`,
    listTtlSeconds: DEFAULT_LIST_TTL_SECONDS,
    variants: [],
  };
  const { variants } = surface;
  const known = variants.find((variant) => variant.name === next.name);
  if (known !== undefined && JSON.stringify(known) === JSON.stringify(next)) return manifest;
  if (known === undefined && variants.length >= MAX_VARIANTS)
    throw new Error(
      `${name} has ${MAX_VARIANTS} variants, and more are not possible: remove one with \`npx earshot variant remove\``,
    );
  return {
    ...manifest,
    surfaces: {
      ...manifest.surfaces,
      [name]: {
        ...surface,
        variants: known === undefined ? [...variants, next] : variants.map((each) => (each === known ? next : each)),
      },
    },
  };
}

export interface Ramp {
  readonly startsAtMs: number;
  /** 0: all users at once. */
  readonly durationMs: number;
  readonly regionDelaysMs?: Readonly<Record<string, number>> | undefined;
}

/**
 * The release becomes `current`, by a ramp from the present `current`. The users of its canary stay on it. Canary and
 * warm-up end. A new variant has a weight of 0 unless it is the first of its surface.
 */
export function goLive(manifest: Manifest, release: Release, ramp: Ramp | undefined, weight?: number): Manifest {
  const { generation, variant: name } = release;
  const live = findVariant(manifest, release);
  if (live === undefined) {
    const isFirst = (manifest.surfaces[release.surface]?.variants.length ?? 0) === 0;
    const own = weight ?? (isFirst ? FULL_WEIGHT : 0);
    return withVariant(manifest, release, { name, weight: own, current: generation, lineage: [generation] });
  }
  if (live.current === generation) return withVariant(manifest, release, { ...live, weight: weight ?? live.weight });
  const { canary, warm: _warm, flip: _flip, ...rest } = live;
  const fromShare = canary?.generation === generation ? { fromShare: canary.share } : {};
  const flip: Flip | undefined = ramp && { ...withoutUndefined(ramp), ...fromShare };
  return withVariant(manifest, release, {
    ...rest,
    weight: weight ?? live.weight,
    current: generation,
    previous: live.current,
    lineage: extendLineage(generation, live),
    ...(flip === undefined ? {} : { flip }),
  });
}

const withoutUndefined = ({ startsAtMs, durationMs, regionDelaysMs }: Ramp): Flip =>
  regionDelaysMs === undefined
    ? { startsAtMs, durationMs }
    : { startsAtMs, durationMs, regionDelaysMs: { ...regionDelaysMs } };

/** A share of users, and as many others as the control cohort, until `untilMs`. `current` stays. */
export function startCanary(
  manifest: Manifest,
  release: Release,
  { share, untilMs }: { readonly share: number; readonly untilMs: number },
): Manifest {
  const { warm: _warm, ...live } = requireVariant(manifest, release);
  return withVariant(manifest, release, { ...live, canary: { generation: release.generation, share, untilMs } });
}

export interface WarmUp {
  readonly startsAtMs: number;
  /** After it, the lists of all active users are loaded ahead. */
  readonly durationMs: number;
  readonly untilMs: number;
  /** The canary that follows has this share of users, who stay cold. */
  readonly fromShare?: number;
}

/** Caches load the release's lists for the users whose list they have, until `untilMs`. */
export function startWarm(manifest: Manifest, release: Release, warmUp: WarmUp): Manifest {
  const live = requireVariant(manifest, release);
  return withVariant(manifest, release, { ...live, warm: { generation: release.generation, ...warmUp } });
}

/** Ends canary and warm-up of `generation`, or of any. */
export function endTrial(manifest: Manifest, line: Line, generation?: number): Manifest {
  const live = findVariant(manifest, line);
  if (live === undefined) return manifest;
  const { canary, warm, ...rest } = live;
  const isOther = (trial: { readonly generation: number } | undefined): boolean =>
    trial !== undefined && generation !== undefined && trial.generation !== generation;
  return withVariant(manifest, line, {
    ...rest,
    ...(isOther(canary) ? { canary } : {}),
    ...(isOther(warm) ? { warm } : {}),
  } as Variant);
}

/**
 * The variant on an earlier release at once: `to`, or the one before. A canary alone ends, and `current` stays. Later
 * releases leave the lineage, so `previous` is the next one below. Throws an Error if there is none to go back to.
 */
export function goBack(manifest: Manifest, line: Line, to?: number): Manifest {
  const live = requireVariant(manifest, line);
  if (to === undefined && (live.canary !== undefined || live.warm !== undefined)) return endTrial(manifest, line);
  const lineage = live.lineage ?? [live.current, ...(live.previous === undefined ? [] : [live.previous])];
  const older = lineage.filter((generation) => generation < live.current);
  const target = to ?? (live.previous !== undefined && older.includes(live.previous) ? live.previous : older[0]);
  if (target === undefined)
    throw new Error(
      `expected an earlier release to go back to, got none: ${nameLine(line)} has only ${formatGeneration(live.current)}`,
    );
  if (target !== live.current && !older.includes(target)) {
    const known = older.length === 0 ? 'none is' : older.map(formatGeneration).join(', ');
    throw new Error(
      `expected --to to be a published release before the live one, got ${formatGeneration(target)} (${known})`,
    );
  }
  const { canary: _canary, warm: _warm, flip: _flip, previous: _previous, ...rest } = live;
  const kept = lineage.filter((generation) => generation <= target);
  const [, previous] = kept;
  return withVariant(manifest, line, {
    ...rest,
    current: target,
    ...(previous === undefined ? {} : { previous }),
    lineage: kept,
  });
}

/** No user reads the release any more: it is left if it is live, and leaves the lineage. */
export function leave(manifest: Manifest, release: Release): Manifest {
  if (isItems(release)) return leaveWithItems(manifest, release.generation);
  const live = findVariant(manifest, release);
  if (live === undefined) return manifest;
  const { generation } = release;
  if (live.current === generation) return goBack(endTrial(manifest, release), release);
  const ended = endTrial(manifest, release, generation);
  const rest = requireVariant(ended, release);
  const isRampingFrom = rest.previous === generation && rest.flip !== undefined;
  const lineage = rest.lineage?.filter((each) => each !== generation);
  const { flip, previous, ...others } = rest;
  const next = lineage?.find((each) => each < others.current);
  return withVariant(ended, release, {
    ...others,
    ...(lineage === undefined ? {} : { lineage }),
    ...(flip === undefined || isRampingFrom ? {} : { flip }),
    ...(previous === generation
      ? next === undefined
        ? {}
        : { previous: next }
      : previous === undefined
        ? {}
        : { previous }),
  } as Variant);
}

function leaveWithItems(manifest: Manifest, generation: number): Manifest {
  const { items } = manifest;
  if (items === undefined) return manifest;
  if (items.current === generation) return goBackWithItems(manifest);
  if (items.previous !== generation && items.lineage?.includes(generation) !== true) return manifest;
  const lineage = items.lineage?.filter((each) => each !== generation);
  const { previous: _previous, lineage: _lineage, ...rest } = items;
  const previous = items.previous === generation ? lineage?.find((each) => each < items.current) : items.previous;
  return {
    ...manifest,
    items: {
      ...rest,
      ...(previous === undefined ? {} : { previous }),
      ...(lineage === undefined ? {} : { lineage }),
    },
  };
}

/** The reason why no publication of the variant can begin; undefined if there is none. */
export function whyBusy(manifest: Manifest, line: Line, nowMs: number): string | undefined {
  const live = findVariant(manifest, line);
  if (live === undefined) return undefined;
  const ends = `end it with \`npx earshot rollback ${nameLine(line)} --why TEXT\``;
  if (live.canary !== undefined && nowMs < live.canary.untilMs)
    return `the canary of ${nameRelease({ ...line, generation: live.canary.generation })} runs until ${new Date(live.canary.untilMs).toISOString()}: ${ends}`;
  if (!isRamping(live, nowMs)) return undefined;
  return `the ramp to ${nameRelease({ ...line, generation: live.current })} is running: \`npx earshot ramp finish ${nameLine(line)}\` ends it, \`npx earshot rollback ${nameLine(line)} --why TEXT\` goes back`;
}

/** The release of the items becomes live at once. */
export function goLiveWithItems(manifest: Manifest, generation: number): Manifest {
  const { items } = manifest;
  if (items?.current === generation) return manifest;
  if (items === undefined) return { ...manifest, items: { current: generation, lineage: [generation] } };
  const lineage = extendLineage(generation, items);
  return { ...manifest, items: { ...items, current: generation, previous: items.current, lineage } };
}

/** The items of an earlier release: `to`, or the one before. Throws an Error if there is none to go back to. */
export function goBackWithItems(manifest: Manifest, to?: number): Manifest {
  const { items } = manifest;
  if (items === undefined) throw new Error('expected a live release of the items, got none');
  const older = (items.lineage ?? []).filter((generation) => generation < items.current);
  const target = to ?? older[0];
  if (target === undefined)
    throw new Error(
      `expected an earlier release to go back to, got none: items has only ${formatGeneration(items.current)}`,
    );
  if (!older.includes(target))
    throw new Error(
      `expected --to to be a published release before the live one, got ${formatGeneration(target)} (${older.map(formatGeneration).join(', ')})`,
    );
  const { previous: _previous, ...rest } = items;
  const lineage = older.filter((generation) => generation <= target);
  const [, previous] = lineage;
  return {
    ...manifest,
    items: { ...rest, current: target, ...(previous === undefined ? {} : { previous }), lineage },
  };
}
