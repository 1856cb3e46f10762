// A surface of the manifest in the command's output: each variant's share and generation.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Surface, Variant } from '../../shared/domain/manifest.ts';
import { rampFraction } from '../../shared/domain/rollout.ts';
import { formatDuration } from '../cli/format.ts';

/** Several lines, each with a newline. */
export function describeSurface(name: string, { salt, listTtlSeconds, variants }: Surface, nowMs: number): string {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0);
  const width = Math.max(...variants.map((variant) => variant.name.length));
  const lines = variants.map((variant) => {
    const share = `${((100 * variant.weight) / total).toFixed(1).padStart(5)} %`;
    return `  ${variant.name.padEnd(width)}  ${share}  ${formatGeneration(variant.current)}${describeFlip(variant, nowMs)}\n`;
  });
  return `${name}, salt ${salt}, lists kept ${formatDuration(listTtlSeconds * 1000)}\n${lines.join('')}`;
}

function describeFlip({ previous, flip }: Variant, nowMs: number): string {
  if (previous === undefined) return '';
  const before = ` (before: ${formatGeneration(previous)}`;
  return flip === undefined ? `${before})` : `${before}, flip ${Math.floor(100 * rampFraction(flip, nowMs))} % done)`;
}
