// The exposure of an answer, without a wait if its token was made before. An answer is never later or worse for a token
// that cannot be made: it goes out without.
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { EdgeDeps } from '../deps.ts';
import { describeError } from '../log.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';
import { serializeExposure } from '../respond/exposure.ts';
import { isExposed } from './tokens.ts';

type ExposureDeps = Pick<EdgeDeps, 'clock' | 'exposures' | 'exposureTokens' | 'log'>;

interface Answered {
  readonly read: Read;
  readonly served: Served;
  readonly manifest: Manifest;
  waitUntil(work: Promise<unknown>): void;
}

/** The result of `respond` for the exposure as it is answered, or for undefined. */
export function withExposure<T>(
  deps: ExposureDeps,
  { read, served, manifest, waitUntil }: Answered,
  respond: (exposure: string | undefined) => T,
): T | Promise<T> {
  const { clock, exposures, exposureTokens: tokens } = deps;
  const surface = manifest.surfaces[read.surface];
  if (tokens === undefined || surface === undefined || !isExposed(served.assignment, surface))
    return respond(undefined);
  const finish = (token: string | undefined): T => {
    if (token === undefined) return respond(undefined);
    const exposure = serializeExposure(token, served, clock.now());
    const isShown = surface.exposure === 'served';
    const noted = isShown ? exposures?.noteServed(exposure, read.attributes?.().country) : undefined;
    if (noted !== undefined) waitUntil(noted);
    return respond(exposure);
  };
  const known = tokens.recall(served);
  return known === undefined ? makeToken(deps, tokens, read.user, served).then(finish) : finish(known);
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
