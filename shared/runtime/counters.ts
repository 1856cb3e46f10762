// Every counter of Earshot with its meaning. A name that is not here cannot be counted; /metrics and the docs are made from this list.

export const COUNTERS = {
  edge_requests_total: 'requests that the worker answered',
  edge_reads_total: 'lists that listeners and services asked for',
  edge_isolate_hits_total: 'lists served from the memory of the isolate',
  edge_colo_hits_total: 'lists served from the cache of the data centre',
  edge_collapsed_total: 'lists served from the load of another request',
  edge_revalidated_total: 'lists served stale while they were refreshed',
  edge_stale_if_error_total: 'lists served stale because no region gave them anew',
  edge_refreshes_total:
    'loads begun for a list that was served meanwhile, because it was stale or, by chance, soon would be',
  edge_refresh_failures_total: 'such loads that brought nothing',
  edge_fenced_total: 'loads not stored, because an erasure, a flip or a later load had overtaken them',
  edge_tier_errors_total: 'times a cache tier threw and was passed over as a miss',
  edge_region_calls_total: 'calls that the worker sent to objects of regions',
  edge_region_failures_total: 'calls to objects of regions that failed, were shed or did not answer in time',
  edge_region_bypasses_total: 'keys read without the object of their region, because it failed now or shortly before',
  edge_origin_reads_total: 'keys that the worker asked an origin for',
  edge_origin_calls_total: 'lists:read calls that the worker sent',
  edge_origin_failures_total: 'lists:read calls that failed or did not answer in time',
  edge_attempts_total: 'reads of one region, be it from its object or its origin, each of one or more keys',
  edge_failovers_total: 'keys that went on to the next region after a failure',
  edge_hedges_total: 'attempts made because another region had not answered for longer than usual',
  edge_hedges_won_total: 'such attempts that answered first',
  edge_attempts_denied_total: 'failovers and hedges not made, because the budget was used up',
  edge_cancelled_total: 'attempts let go of because another had answered',
  edge_late_total: 'reads of regions that went on for more than 10 ms after their deadline',
  edge_ejections_total: 'times a region was ejected',
  edge_probes_total: 'reads sent to an ejected region to see whether it is back',
  edge_manifest_fetches_total: 'times the worker asked an origin for the manifest',
  edge_manifest_failures_total: 'times no origin gave the manifest',
  edge_previous_total: 'answers in which what a cache held of the generation before stood in',
  edge_popular_total: 'answers in which the popular list stood in',
  edge_rejected_tokens_total: 'requests refused because of their token',
  edge_token_key_failures_total: 'times the keys that tokens are checked with could not be fetched',
  region_reads_total: 'keys that objects of regions were asked for',
  region_hits_total: 'lists served from the memory of the object',
  region_collapsed_total: 'keys answered from the load of another',
  region_revalidated_total: 'lists given stale while they were refreshed',
  region_stale_if_error_total: 'lists given stale because the origin did not give them anew',
  region_refreshes_total: 'loads begun for a list that was given meanwhile',
  region_refresh_failures_total: 'such loads that brought nothing',
  region_fenced_total: 'loads not stored, because a later load had overtaken them',
  region_shed_total: 'keys refused because too many were waiting',
  region_cancelled_total: 'calls to objects that whoever had made them let go of',
  region_tier_errors_total: 'times the memory of an object threw and was passed over as a miss',
  region_origin_reads_total: 'keys that objects asked their origin for',
  region_origin_calls_total: 'lists:read calls that objects sent',
  region_origin_failures_total: 'lists:read calls of objects that failed or did not answer in time',
  origin_reads_total: 'keys requested from this process',
  origin_memory_hits_total: 'lists served from the memory of the process',
  origin_collapsed_total: 'keys answered from the load of another request',
  origin_sibling_reads_total: 'keys that other processes of this origin requested from this one',
  origin_sibling_failures_total:
    'failed calls to other processes of this origin; the keys were read from the table here',
  origin_absent_total: 'keys without a list in Bigtable',
  origin_item_reads_total: 'items of expanded lists, each once per request',
  origin_item_misses_total: 'items that were missing in memory or too old',
  origin_bigtable_calls_total: 'ReadRows calls sent to Bigtable',
  origin_bigtable_keys_total: 'row keys in ReadRows calls',
  origin_bigtable_failures_total: 'ReadRows calls that failed',
  origin_retries_total: 'retries of failed ReadRows calls, for the missing keys',
  origin_cancelled_keys_total: 'keys whose read was cancelled, because no caller waited',
  origin_failover_keys_total:
    'row keys read through the other app profile, because the local cluster failed them or was ejected',
  origin_ejections_total: 'ejections of the local cluster, after failures in a row',
  origin_late_total: 'lists:read requests that ended more than 10 ms after their deadline',
  origin_manifest_polls_total: 'reads of the manifest row',
  origin_manifest_failures_total: 'reads of the manifest row that failed, or found an invalid manifest',
} as const satisfies Record<string, string>;

export type CounterName = keyof typeof COUNTERS;

/** Who counts, where the same code runs in the worker and in a region's object. */
export type CounterSide = 'edge' | 'region';

export interface Counters {
  add(name: CounterName, by?: number): void;
  get(name: CounterName): number;
  /** All counters, those at 0 too. */
  snapshot(): Record<CounterName, number>;
}

export function createCounters(): Counters {
  const values = new Map<CounterName, number>();
  const get = (name: CounterName): number => values.get(name) ?? 0;
  return {
    add: (name, by = 1) => {
      values.set(name, get(name) + by);
    },
    get,
    snapshot: () =>
      Object.fromEntries((Object.keys(COUNTERS) as CounterName[]).map((name) => [name, get(name)])) as Record<
        CounterName,
        number
      >,
  };
}
