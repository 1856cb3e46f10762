// What stands around the bytes of a list in an answer, be it an answer of its own or one result of a batch.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Read, Served } from '../reads/serve-reads.ts';

/** What an answer says of its list. */
export const describeList = ({ user, surface }: Read, { own: { variant }, source, list }: Served) => ({
  user,
  surface,
  variant,
  generation: formatGeneration(list.generation),
  source,
});

/** The JSON of `about`, up to where the items begin. */
export const openList = (about: object): string => `${JSON.stringify(about).slice(0, -1)},"items":[`;

export const closeList = ']}';
