// The JSON around the bytes of a list, in an answer of its own and in the result of a batch.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';

/** The members of an answer besides its items. */
export const describeList = ({ user, surface }: Read, { own: { variant }, source, list }: Served) => ({
  user,
  surface,
  variant,
  generation: formatGeneration(list.generation),
  source,
});

/** The JSON of `members`, up to the first item. */
export const openList = (members: object): string => `${JSON.stringify(members).slice(0, -1)},"items":[`;

export const closeList = ']}';
