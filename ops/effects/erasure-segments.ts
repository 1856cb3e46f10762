// The documents of erasures as sorted parts: large ones that rarely change, and a last one that every change replaces.
// So an erasure moves some kilobytes to each data centre, also beside 50 000 others. Pure.
import { type ErasureEntry, KEEP_ERASURE_MS, MAX_ERASURES } from '../../shared/domain/effects/erasure-document.ts';
import { MAX_ERASURE_DOCUMENTS } from '../../shared/domain/manifest.ts';

/** Moment by user hash; null for a hidden user. */
export type Segment = ReadonlyMap<number, number | null>;

/** A last part with more final moments is merged into a large one. */
export const MAX_RECENT = 2_000;

/**
 * The parts after `changes`, the last one first to change. Parts that stay the same are the same objects. Throws an
 * Error if there are too many erasures.
 */
export function changeSegments(segments: readonly Segment[], changes: Segment, nowMs: number): readonly Segment[] {
  const large = segments.slice(0, -1);
  const recent = new Map(segments.at(-1));
  for (const [hash, atMs] of changes) recent.set(hash, later(recent.get(hash), atMs));
  const hidden = new Map([...recent].filter(([, atMs]) => atMs === null));
  const final = new Map([...recent].filter(([, atMs]) => atMs !== null && atMs > nowMs - KEEP_ERASURE_MS));
  const parts =
    final.size > MAX_RECENT ? [...mergeLarge(large, final, nowMs), hidden] : [...large, new Map([...final, ...hidden])];
  if (parts.length > MAX_ERASURE_DOCUMENTS || parts.some(({ size }) => size > MAX_ERASURES))
    throw new Error(
      `expected at most ${(MAX_ERASURE_DOCUMENTS - 1) * MAX_ERASURES} erasures within ${KEEP_ERASURE_MS / 86_400_000} days, and ${MAX_ERASURES} hidden users at once, got ${parts.map(({ size }) => size).join(' + ')}`,
    );
  // The last part stays, also empty: the next change replaces it.
  return parts;
}

/** A final moment ends the hiding. Of two final moments the later one counts. */
export function later(known: number | null | undefined, next: number | null): number | null {
  if (known === undefined || known === null || next === null) return next;
  return Math.max(known, next);
}

/** The large parts with `final`, which the last one takes if it has room. Without room in any, all are united again. */
function mergeLarge(large: readonly Segment[], final: Segment, nowMs: number): readonly Segment[] {
  const merged = unite([...large.slice(-1), final], nowMs);
  const parts = merged.size <= MAX_ERASURES ? [...large.slice(0, -1), merged] : [...large, final];
  return parts.length < MAX_ERASURE_DOCUMENTS ? parts : split(unite(parts, nowMs));
}

/** The latest moment of each user; what is over is left out. */
function unite(parts: readonly Segment[], nowMs: number): Segment {
  const united = new Map<number, number>();
  for (const [hash, atMs] of parts.flatMap((part) => [...part])) {
    if (atMs === null || atMs <= nowMs - KEEP_ERASURE_MS) continue;
    united.set(hash, Math.max(united.get(hash) ?? 0, atMs));
  }
  return united;
}

function split(segment: Segment): Segment[] {
  const entries = [...segment];
  const parts = Math.ceil(entries.length / MAX_ERASURES);
  return Array.from({ length: parts }, (_, i) => new Map(entries.slice(i * MAX_ERASURES, (i + 1) * MAX_ERASURES)));
}

/** The document of a part. */
export const toErasureJson = (segment: Segment): string =>
  JSON.stringify({ format: 1, erasures: [...segment].sort(([a], [b]) => a - b) satisfies ErasureEntry[] });

/** The part of a document. */
export const toSegment = (json: string): Segment =>
  new Map((JSON.parse(json) as { readonly erasures: ErasureEntry[] }).erasures);
