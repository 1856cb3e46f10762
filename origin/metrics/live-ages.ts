// The age of the data that is served: for each surface the oldest generation of a variant that gets reads.
import type { Manifest } from '../../shared/domain/manifest.ts';

export interface LiveAge {
  readonly surface: string;
  /** Since the generation. */
  readonly seconds: number;
}

export const liveAgesOf = ({ surfaces }: Manifest, nowMs: number): LiveAge[] =>
  Object.entries(surfaces).map(([surface, { variants }]) => {
    const live = variants.filter(({ weight }) => weight > 0).map(({ current }) => current);
    return { surface, seconds: (nowMs - Math.min(...live)) / 1000 };
  });
