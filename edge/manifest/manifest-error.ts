// The failure of a request that needs the manifest while the isolate has none.
import { EarshotError } from '../../shared/wire/errors.ts';
import type { RegionLookup } from '../reads/trail.ts';

/** Where the manifest was looked for. */
export interface ManifestTrail {
  /** The regions that were asked, in order, with the outcome of each. */
  readonly regions: readonly RegionLookup[];
  /** `backoff`: a refresh failed shortly before, so none was started. `timeout`: the refresh outlived the request. */
  readonly detail: 'failed' | 'backoff' | 'timeout';
}

export class ManifestError extends EarshotError {
  readonly trail: ManifestTrail;

  constructor(trail: ManifestTrail) {
    super('unavailable', 'edge', 'no origin returned a manifest, and the isolate has none');
    this.trail = trail;
  }
}
