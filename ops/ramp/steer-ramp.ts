// A running ramp, steered: a pure change of the manifest, so a dry run can show it.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Flip, Manifest } from '../../shared/domain/manifest.ts';
import { type Line, nameLine } from '../../shared/domain/release.ts';
import { isRamping, rampFraction } from '../../shared/domain/rollout.ts';
import { requireVariant, withVariant } from '../release/manifest-changes.ts';

export type Steering =
  | { readonly kind: 'pause' | 'resume' | 'finish' }
  | { readonly kind: 'set'; readonly overMs: number };

/** The running ramp, steered so that no user goes back. Throws an Error without one. */
export function steerRamp(manifest: Manifest, line: Line, steering: Steering, nowMs: number): Manifest {
  const live = requireVariant(manifest, line);
  const { flip, ...rest } = live;
  if (flip === undefined || !isRamping(live, nowMs))
    throw new Error(
      `expected a running ramp of ${nameLine(line)}, got none: every user has ${formatGeneration(live.current)}`,
    );
  const { pausedAtMs, ...running } = flip;
  const resumed: Flip =
    pausedAtMs === undefined
      ? running
      : { ...running, startsAtMs: running.startsAtMs + Math.max(0, nowMs - pausedAtMs) };
  switch (steering.kind) {
    case 'pause':
      return pausedAtMs === undefined
        ? withVariant(manifest, line, { ...live, flip: { ...flip, pausedAtMs: nowMs } })
        : manifest;
    case 'resume':
      return pausedAtMs === undefined ? manifest : withVariant(manifest, line, { ...live, flip: resumed });
    case 'finish':
      return withVariant(manifest, line, rest);
    case 'set': {
      const next = withDuration(resumed, steering.overMs, nowMs);
      return withVariant(manifest, line, {
        ...live,
        flip: pausedAtMs === undefined ? next : { ...next, pausedAtMs: nowMs },
      });
    }
  }
}

/**
 * The ramp with another duration. Every region keeps the share that it has reached, and a region that has not begun
 * keeps its moment.
 */
function withDuration(flip: Flip, durationMs: number, nowMs: number): Flip {
  const startOf = (delayMs: number): number => {
    const startedAtMs = flip.startsAtMs + delayMs;
    if (nowMs < startedAtMs) return startedAtMs;
    return Math.floor(nowMs - rampFraction(flip, nowMs, delayMs) * durationMs);
  };
  const startsAtMs = startOf(0);
  const { regionDelaysMs } = flip;
  if (regionDelaysMs === undefined) return { ...flip, startsAtMs, durationMs };
  const delays = Object.entries(regionDelaysMs).map(([region, delayMs]) => [
    region,
    Math.max(0, startOf(delayMs) - startsAtMs),
  ]);
  return { ...flip, startsAtMs, durationMs, regionDelaysMs: Object.fromEntries(delays) };
}
