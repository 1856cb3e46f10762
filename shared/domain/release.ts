// A release: one generation of a surface's variant, `home/control@2026-11-29T03:00:00.000Z`, or of the items,
// `items@2026-11-29T03:00:00.000Z`. Its record in the `control` table has its load, its state and its history.
import { formatGeneration, parseGeneration } from './generation.ts';
import { ITEMS_NAME, isName, type Name, NO_VARIANT } from './ids.ts';

/** A variant of a surface, whose releases follow each other. */
export interface Line {
  readonly surface: Name;
  readonly variant: Name;
}

export interface Release extends Line {
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** The items have releases, too. No variant has an empty name. */
export const ITEMS: Line = { surface: ITEMS_NAME, variant: NO_VARIANT };

export const isItems = ({ variant }: Line): boolean => variant === ITEMS.variant;

/** `home/control`, or `items`. */
export const nameLine = (line: Line): string => (isItems(line) ? ITEMS.surface : `${line.surface}/${line.variant}`);

/** `home/control@2026-11-29T03:00:00.000Z`. */
export const nameRelease = (release: Release): string => `${nameLine(release)}@${formatGeneration(release.generation)}`;

export const RELEASE_FORM = 'surface/variant@generation, for example home/control@2026-11-29T03:00:00Z';

/** Parses `surface/variant` or `items`, with or without `@generation`; undefined for any other text. */
export function parseRelease(text: string): (Line & { readonly generation: number | undefined }) | undefined {
  const [name = '', moment, ...rest] = text.split('@');
  const [surface, variant, ...parts] = name.split('/');
  const generation = moment === undefined ? undefined : parseGeneration(moment);
  const isWhole = (moment === undefined) === (generation === undefined);
  if (rest.length > 0 || parts.length > 0 || !isWhole) return undefined;
  if (surface === ITEMS.surface && variant === undefined) return { ...ITEMS, generation };
  return isName(surface) && isName(variant) ? { surface, variant, generation } : undefined;
}

/** In the order of a life. `refused`, `rolled-back` and `blocked` are ends, too. */
export const STATES = [
  ...['loading', 'loaded', 'refused', 'checked', 'canary', 'ramping', 'live', 'backup'],
  ...['rolled-back', 'blocked', 'retired', 'dropped'],
] as const;

export type ReleaseState = (typeof STATES)[number];
