// The figures that a size is computed from: measured ones of docs/benchmarks.md, and documented ones with their source.

/** `npm run bench -- sizing`: microseconds of CPU for a list of 2 KB. */
export const CPU_US = {
  workerHit: 255,
  workerCold: 1_690,
  originHit: 51,
  originCold: 206,
} as const;

/** `npm run bench -- traces`, orm-busy: reads that no isolate answers, and rows that Bigtable reads, of all reads. */
export const TRACE = { edgeHits: 0.85, rowsPerRead: 1 / 21.4 } as const;

/** One thread of an isolate or an origin is planned to be busy for this share of the peak. */
export const PLANNED_LOAD = 0.5;

/**
 * Rows a second of a node with SSD, for rows of 1 kB (https://cloud.google.com/bigtable/docs/performance), and bytes
 * that it stores (https://cloud.google.com/bigtable/quotas#storage-per-node).
 */
export const BIGTABLE_NODE = { reads: 17_000, writes: 14_000, bytes: 5e12, storageShare: 0.6 } as const;

/** Requests a second of one Durable Object (https://developers.cloudflare.com/durable-objects/platform/limits/). */
export const OBJECT_REQUESTS = 1_000;
/** Bytes that an object is billed for, whatever it uses. */
export const OBJECT_BYTES = 128e6;

/** Versions of a list that Bigtable keeps: docs/operations.md, tables. */
export const LIST_VERSIONS = 6;
/** Bytes of a cell beside its list: row key, qualifier and timestamp. */
export const CELL_BYTES = 100;

/** `npm run bench -- ingest`: microseconds of CPU of `earshot ingest`, which uses one core, for each list and byte. */
export const LOADER = { cpuUs: 11, cpuUsPerByte: 0.083 } as const;

export const SECONDS_IN_MONTH = 730 * 3_600;
/** Origins of a region, so that one can be replaced. */
export const MIN_ORIGINS = 2;
