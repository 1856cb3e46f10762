// Every counter of Earshot with its meaning. Only these names can be counted. /metrics and the docs are made from this
// list.

export const COUNTERS = {
  edge_requests_total: 'requests answered by the worker',
  edge_reads_total: 'lists that listeners and services read',
  edge_isolate_hits_total: 'lists served from the memory of the isolate',
  edge_colo_hits_total: 'lists served from the cache of the data centre',
  edge_collapsed_total: 'lists served from the load of another request',
  edge_revalidated_total: 'stale lists served while a refresh ran',
  edge_stale_if_error_total: 'stale lists served because every region failed',
  edge_refreshes_total: 'refreshes of served lists that were stale or, by XFetch, soon would be',
  edge_refresh_failures_total: 'refreshes that failed',
  edge_fenced_total: 'loads not stored, because an erasure, a flip or a later load had overtaken them',
  edge_tier_errors_total: 'errors of a cache tier, each served as a miss',
  edge_region_calls_total: 'calls of the worker to region objects',
  edge_region_failures_total: 'calls to region objects that failed, were shed or timed out',
  edge_region_bypasses_total: 'keys read without the region object, because it failed now or shortly before',
  edge_origin_reads_total: 'keys that the worker read from an origin',
  edge_origin_calls_total: 'lists:read calls of the worker',
  edge_origin_failures_total: 'lists:read calls of the worker that failed or timed out',
  edge_attempts_total: 'attempts to read one or more keys from a region, through its object or its origin',
  edge_failovers_total: 'keys tried in the next region after a failure',
  edge_hedges_total: 'attempts made because another region was later than usual',
  edge_hedges_won_total: 'hedges that answered first',
  edge_attempts_denied_total: 'failovers and hedges not made, because the budget was used up',
  edge_cancelled_total: 'attempts cancelled because another region had answered',
  edge_late_total: 'reads of regions that continued for more than 10 ms after their deadline or cancellation',
  edge_ejections_total: 'ejections of a region',
  edge_probes_total: 'probes of an ejected region',
  edge_manifest_fetches_total: 'manifest requests of the worker to an origin',
  edge_manifest_failures_total: 'manifest refreshes that every origin failed',
  edge_manifests_refused_total: 'manifests of origins or of the data centre that were not valid, or too large',
  edge_manifests_behind_total: 'manifest refreshes in which every origin that answered had an older version',
  edge_document_fetches_total: 'requests of the worker for a document of the manifest',
  edge_documents_refused_total: 'manifests not taken up because a document of theirs was not valid, or missing',
  edge_previous_total: 'answers with a cached list of the previous generation as the fallback',
  edge_switched_total: 'answers under at least one switch of the manifest',
  edge_shadow_reads_total: 'answers of caches that were compared with Bigtable',
  edge_shadow_differences_total: 'answers of caches that differed from Bigtable',
  edge_popular_total: 'answers with the popular list as the fallback',
  edge_unpublished_lists_total: 'lists refused because the manifest does not name their generation',
  edge_exposures_total: 'exposures that were reported and stored',
  edge_exposures_dropped_total:
    'reported exposures that were dropped: not valid, expired, of another user, or repeated',
  edge_exposures_lost_total: 'reported exposures that could not be stored',
  edge_far_messages_total: 'answers of origins and region objects more than one message version away',
  edge_large_answers_shed_total: 'large answers refused, because too many bytes of answers and loads were in memory',
  edge_rejected_tokens_total: 'requests refused because of their token',
  edge_limited_addresses_total: 'requests refused before the check of their token, by the limit of their address',
  edge_limited_callers_total: 'requests refused by the limit of their subject or service',
  edge_limited_locations_total: 'requests refused by the rate-limit binding',
  edge_limiter_errors_total: 'requests admitted because the rate-limit binding failed or was slow',
  edge_token_key_failures_total: 'failed fetches of the keys that verify tokens',
  edge_reports_failed_total: 'reports of counters that no origin took; their counts are in the next one',
  region_reads_total: 'keys read from region objects',
  region_hits_total: 'lists served from the memory of the object',
  region_collapsed_total: 'keys served from the load of another call',
  region_revalidated_total: 'stale lists served while a refresh ran',
  region_stale_if_error_total: 'stale lists served because the origin failed',
  region_refreshes_total: 'refreshes of served lists',
  region_refresh_failures_total: 'refreshes that failed',
  region_fenced_total: 'loads not stored, because a later load had overtaken them',
  region_shed_total: 'keys refused because too many were waiting',
  edge_warmed_total: 'lists of the next release that were loaded for users whose list a near cache had',
  region_warmed_total: 'lists of the next generation that were loaded for users of the current one',
  region_cancelled_total: 'calls to region objects that the caller cancelled',
  region_tier_errors_total: "errors of the object's memory, each served as a miss",
  region_origin_reads_total: 'keys that region objects read from their origin',
  region_origin_calls_total: 'lists:read calls of region objects',
  region_origin_failures_total: 'lists:read calls of region objects that failed or timed out',
  origin_reads_total: 'keys requested from this process',
  origin_memory_hits_total: 'lists served from the memory of the process',
  origin_collapsed_total: 'keys answered from the load of another request',
  origin_unpublished_lists_total: 'lists passed over because the manifest does not name their generation',
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
  origin_refused_callers_total: 'requests without a valid token of the edge',
  origin_dropped_connections_total: 'connections refused, because as many as allowed were open',
  origin_timed_out_requests_total: 'requests whose head or body did not arrive in time',
  origin_manifest_polls_total: 'reads of the manifest row',
  origin_manifest_failures_total: 'reads of the manifest row that failed, or found an invalid manifest',
  origin_heartbeats_total: 'heartbeats written to Bigtable',
  origin_heartbeat_failures_total: 'heartbeats that could not be written',
} as const satisfies Record<string, string>;

export type CounterName = keyof typeof COUNTERS;

/** The side that counts, for code that runs in the worker and in a region object. */
export type CounterSide = 'edge' | 'region';

export interface Counters {
  add(name: CounterName, by?: number): void;
  get(name: CounterName): number;
  /** All counters, including those at 0. */
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
