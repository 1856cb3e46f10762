// Counts the reads of a canary's two cohorts, each user once, while the manifest names the canary. Without a canary a
// read costs one comparison of two manifests.
import { addValue, type CohortSums, type Cohorts, emptyCohort } from '../../shared/domain/cohort.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { POPULAR_USER } from '../../shared/domain/ids.ts';
import { makeListQualifier } from '../../shared/domain/keys.ts';
import { countItems } from '../../shared/domain/list.ts';
import { EMPTY_MANIFEST, type Manifest } from '../../shared/domain/manifest.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';

/** Further users of a cohort are not counted. Default: 200 000, about 8 MB. */
export const MAX_COHORT_USERS = 200_000;
/** Canaries of further variants are not counted. */
export const MAX_CANARIES = 4;

interface CountedCohort {
  readonly sums: CohortSums;
  /** 32-bit hashes: few users of a cohort share one. */
  readonly users: Set<number>;
}

interface CountedCanary {
  /** `surface/variant@generation`. */
  readonly name: string;
  readonly generation: number;
  readonly canary: CountedCohort;
  readonly control: CountedCohort;
}

/** The answered queries of a request. */
export interface CohortReads {
  readonly queries: readonly ListQuery[];
  readonly results: readonly ListResult[];
  /** Milliseconds for the results that memory did not have. Undefined: memory had all. */
  readonly loaded?: { readonly indexes: readonly number[]; readonly ms: number };
}

export interface CohortCounter {
  /** Called once for each request. */
  record(manifest: Manifest, reads: CohortReads): void;
  /** The sums of each canary of `manifest`. */
  sums(manifest: Manifest): Record<string, Cohorts>;
}

export function createCohortCounter(maxUsers = MAX_COHORT_USERS): CohortCounter {
  let known: Manifest = EMPTY_MANIFEST;
  /** By `surface/variant`. Undefined without a canary. */
  let canaries: ReadonlyMap<string, CountedCanary> | undefined;

  function canariesOf(manifest: Manifest): typeof canaries {
    if (manifest !== known) {
      canaries = findCanaries(manifest, canaries);
      known = manifest;
    }
    return canaries;
  }

  return {
    record: (manifest, { queries, results, loaded }) => {
      const counted = canariesOf(manifest);
      if (counted === undefined) return;
      const loadMs = new Map(loaded?.indexes.map((index) => [index, loaded.ms]));
      for (const [index, query] of queries.entries()) {
        const cohort = cohortOf(counted, query);
        const result = results[index];
        if (cohort !== undefined && result !== undefined)
          countRead(cohort, { query, result, loadMs: loadMs.get(index), maxUsers });
      }
    },
    sums: (manifest) =>
      Object.fromEntries(
        [...(canariesOf(manifest)?.values() ?? [])].map(({ name, canary, control }) => [
          name,
          { canary: canary.sums, control: control.sums },
        ]),
      ),
  };
}

/** Keeps the sums of the canaries that are still named. */
function findCanaries({ surfaces }: Manifest, before: ReadonlyMap<string, CountedCanary> | undefined) {
  const found = new Map<string, CountedCanary>();
  for (const [surface, { variants }] of Object.entries(surfaces)) {
    for (const { name: variant, canary } of variants) {
      if (canary === undefined || found.size >= MAX_CANARIES) continue;
      const line = `${surface}/${variant}`;
      const name = `${line}@${formatGeneration(canary.generation)}`;
      const known = before?.get(line);
      found.set(line, known?.name === name ? known : startCounting(name, canary.generation));
    }
  }
  return found.size === 0 ? undefined : found;
}

const startCounting = (name: string, generation: number): CountedCanary => ({
  name,
  generation,
  canary: { sums: emptyCohort(), users: new Set() },
  control: { sums: emptyCohort(), users: new Set() },
});

/** The cohort that a read counts for. The popular list and reads in the background are of no user. */
function cohortOf(counted: ReadonlyMap<string, CountedCanary>, query: ListQuery): CountedCohort | undefined {
  const { surface, variant, user, generation, coldFor, isBackground } = query;
  if (isBackground || user === POPULAR_USER) return undefined;
  const found = counted.get(makeListQualifier(surface, variant));
  if (found === undefined) return undefined;
  if (coldFor !== undefined) return coldFor === found.generation ? found.control : undefined;
  return generation === found.generation ? found.canary : undefined;
}

interface CohortRead {
  readonly query: ListQuery;
  readonly result: ListResult;
  readonly loadMs: number | undefined;
  readonly maxUsers: number;
}

function countRead({ sums, users }: CountedCohort, { query, result, loadMs, maxUsers }: CohortRead): void {
  if (result.kind === 'error') {
    sums.errors++;
    return;
  }
  const user = murmur3(query.user);
  if (users.has(user) || users.size >= maxUsers) return;
  users.add(user);
  sums.users++;
  if (loadMs !== undefined) addValue(sums.latencyMs, loadMs);
  if (result.kind === 'absent') {
    sums.absent++;
    return;
  }
  if (result.generation !== query.generation) sums.older++;
  addValue(sums.bytes, result.bytes.length);
  addValue(sums.items, countItems(result.bytes));
}
