// The cost of an answer, known after its lists have been read: to the caller's limit, and to the counts by service.
import { bytesOf } from '../../shared/domain/list.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Identity } from '../identity/claims.ts';
import { ReadError, type Served } from '../reads/serve-reads.ts';
import type { CallerCosts } from './caller-costs.ts';
import type { Limits } from './limits.ts';
import { costOfBytes } from './read-cost.ts';

interface ChargeDeps {
  readonly limits: Limits;
  readonly costs: CallerCosts;
}

/** `paid`: tokens that were taken before the reads. */
export function chargeAnswer(
  { limits, costs }: ChargeDeps,
  identity: Identity,
  paid: number,
  all: readonly (Pick<Served, 'list' | 'trails'> | EarshotError)[],
): void {
  let bytes = 0;
  let originReads = 0;
  for (const outcome of all) {
    if ('list' in outcome) bytes += bytesOf(outcome.list);
    const trails = outcome instanceof EarshotError && !(outcome instanceof ReadError) ? [] : outcome.trails;
    for (const { regions } of trails) if (regions.some(({ origin }) => origin?.status !== undefined)) originReads++;
  }
  costs.add(identity, { reads: all.length, originReads, bytes });
  limits.charge(identity, costOfBytes(bytes, paid));
}
