// The number of users that a change moves, from arm to arm: of SAMPLE synthetic users of a surface.
import { type Attributes, assign } from '../../shared/domain/experiments/assign.ts';
import type { Targeting } from '../../shared/domain/experiments/schema.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

export const SAMPLE = 100_000;

export interface Move {
  /** `ranking/knn`; `home/control` for a choice by weights. */
  readonly from: string;
  readonly to: string;
  readonly users: number;
}

/** The most frequent first. Users who stay are left out. `targeting`: of the users that an experiment targets. */
export function countMoves(before: Manifest, next: Manifest, surfaceName: string, targeting?: Targeting): Move[] {
  const attributes = attributesFor(targeting);
  const [old, changed] = [before.surfaces[surfaceName], next.surfaces[surfaceName]];
  if (old === undefined || changed === undefined) return [];
  const counts = new Map<string, number>();
  for (let i = 0; i < SAMPLE; i++) {
    const user = `sample:${i}`;
    const a = assign(before, surfaceName, old, user, attributes);
    const b = assign(next, surfaceName, changed, user, attributes);
    const [from, to] = [a, b].map(({ experiment, variant }) => `${experiment}/${variant.name}`);
    if (from === to) continue;
    const move = `${from} ${to}`;
    counts.set(move, (counts.get(move) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([move, users]) => {
      const [from = '', to = ''] = move.split(' ');
      return { from, to, users };
    });
}

function attributesFor({ countries, claims = {} }: Targeting = {}): () => Attributes {
  const values = Object.entries(claims).map(([claim, [value = '']]) => [claim, value] as const);
  const attributes = { country: countries?.[0], claims: Object.fromEntries(values) };
  return () => attributes;
}
