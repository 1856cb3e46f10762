// The exposure of an answer, without a wait if its token was made before. An answer is never later or worse for a token
// that cannot be made: it goes out without.
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { NearestRegion } from '../../shared/domain/rollout.ts';
import type { EdgeDeps } from '../deps.ts';
import { describeError } from '../log.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';
import { serializeExposure } from '../respond/exposure.ts';
import type { ServedExposure } from './receive.ts';
import { isExposed, type MadeToken } from './tokens.ts';

type ExposureDeps = Pick<EdgeDeps, 'clock' | 'exposureTokens' | 'log'>;

interface Answered {
  readonly read: Read;
  readonly served: Served;
  readonly manifest: Manifest;
  readonly nearestRegion: NearestRegion;
}

/**
 * The result of `respond` for the exposure as it is answered, or for undefined. `shown` is the same exposure if an
 * answer counts as shown.
 */
export function withExposure<T>(
  deps: ExposureDeps,
  answered: Answered,
  respond: (exposure: string | undefined, shown: ServedExposure | undefined) => T,
): T | Promise<T> {
  const { clock, exposureTokens: tokens } = deps;
  const { read, served, manifest } = answered;
  const surface = manifest.surfaces[read.surface];
  if (tokens === undefined || surface === undefined || !isExposed(served.assignment, surface))
    return respond(undefined, undefined);
  const finish = (made: MadeToken | undefined): T => {
    if (made === undefined) return respond(undefined, undefined);
    const report = serializeExposure(made, served, clock.now());
    const isShown = surface.exposure === 'served';
    return respond(report, isShown ? { report, country: read.attributes?.().country } : undefined);
  };
  const known = tokens.recall(served);
  return known === undefined ? makeToken(deps, tokens, answered).then(finish) : finish(known);
}

async function makeToken(
  { log }: ExposureDeps,
  tokens: NonNullable<EdgeDeps['exposureTokens']>,
  { read, served, nearestRegion }: Answered,
): Promise<MadeToken | undefined> {
  try {
    return await tokens.make(read.user, served, nearestRegion());
  } catch (error) {
    log.error('exposure_failed', describeError(error));
    return undefined;
  }
}
