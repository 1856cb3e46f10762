// Whether region objects are beside the origin of their region, by the time of their fastest answers.
import { isLoopback } from '../../../shared/config/loopback.ts';
import { estimateRoundTripMs } from '../../../shared/domain/regions.ts';
import type { ObjectStatus } from '../../../shared/wire/edge-status.ts';
import type { Deployment } from '../deployment.ts';
import type { EdgeFacts } from '../examine.ts';
import { allOf, type Finding, failed, skipped } from '../finding.ts';

/** Light in fibre takes so long for both ways. */
const LEAST_MS_PER_KM = 0.01;
/** A caller can be so far from the data centre that answers it, and a hint is an area and no place. */
const SLACK_KM = 2_000;
/** Fastest answers may take this multiple of the usual round trip, and SLACK_MS. */
const SLACK_RATIO = 2;
const SLACK_MS = 50;

/** All parts of a local cloud are at one place, so nothing is judged there. */
export function checkObjects({ edgeUrl }: Pick<Deployment, 'edgeUrl'>, { status }: EdgeFacts): readonly Finding[] {
  if (URL.canParse(edgeUrl) && isLoopback(new URL(edgeUrl).hostname)) return [];
  const check = 'objects';
  const placed = (status?.objects ?? []).flatMap(({ km, ...each }) => (km === undefined ? [] : [{ ...each, km }]));
  if (placed.length === 0)
    return [skipped(check, 'no object has answered from memory, or no place of the caller is known')];
  const failures = placed
    .filter(isElsewhere)
    .map(({ object, region, fastestMs, km }) =>
      failed(
        check,
        `${object} answers in ${fastestMs} ms at best, over ${km} km to ${region}: it was made at another place`,
        `look again from another place; then give ${region} the next objectEpoch in REGIONS, and deploy in steps (docs/bad-days.md)`,
      ),
    );
  return allOf(check, failures, placed.map(({ object, fastestMs }) => `${object} ${fastestMs} ms`).join(', '));
}

/** Too slow for its region, or faster than light. */
const isElsewhere = ({ fastestMs, km }: ObjectStatus & { readonly km: number }): boolean =>
  fastestMs > SLACK_RATIO * estimateRoundTripMs(km) + SLACK_MS || fastestMs < LEAST_MS_PER_KM * (km - SLACK_KM);
