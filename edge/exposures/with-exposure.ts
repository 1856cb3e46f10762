// The exposure of an answer, without a wait if its token was made before. An answer is never later or worse for a token
// that cannot be made: it goes out without.
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { EdgeDeps } from '../deps.ts';
import { describeError } from '../log.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';
import { isExposed } from './tokens.ts';

type ExposureDeps = Pick<EdgeDeps, 'exposureTokens' | 'log'>;

/** The result of `respond` for the token of the exposure, or for undefined. */
export function withExposure<T>(
  deps: ExposureDeps,
  { user, surface }: Read,
  served: Served,
  { surfaces }: Manifest,
  respond: (exposure: string | undefined) => T,
): T | Promise<T> {
  const { exposureTokens: tokens } = deps;
  const own = surfaces[surface];
  if (tokens === undefined || own === undefined || !isExposed(served.assignment, own)) return respond(undefined);
  const known = tokens.recall(served);
  return known === undefined ? makeToken(deps, tokens, user, served).then(respond) : respond(known);
}

async function makeToken(
  { log }: ExposureDeps,
  tokens: NonNullable<EdgeDeps['exposureTokens']>,
  user: string,
  served: Served,
): Promise<string | undefined> {
  try {
    return await tokens.make(user, served);
  } catch (error) {
    log.error('exposure_failed', describeError(error));
    return undefined;
  }
}
