// From a workload to the parts of a deployment. docs/sizing.md explains each formula.
import {
  BIGTABLE_NODE,
  CELL_BYTES,
  CPU_US,
  LIST_VERSIONS,
  LOADER,
  MIN_ORIGINS,
  OBJECT_REQUESTS,
  PLANNED_LOAD,
} from './figures.ts';

export interface Workload {
  readonly users: number;
  /** Lists of a user: one for each variant of each surface. */
  readonly listsPerUser: number;
  /** Mean bytes of a list. */
  readonly listBytes: number;
  /** Reads of lists a second of all regions, at the peak of the day. */
  readonly readsPerSecond: number;
  /** Mean reads of a month over the reads at the peak. */
  readonly meanShare: number;
  /** Share of the reads that isolates and data centres answer. */
  readonly edgeHits: number;
  /** Share of all reads that read a row of Bigtable. */
  readonly rowsPerRead: number;
  /** Hours in which the lists of a day are loaded. */
  readonly loadHours: number;
  /** Share of the reads of each region, by its name. They add up to 1. */
  readonly regions: ReadonlyMap<string, number>;
}

export interface RegionSize {
  readonly name: string;
  /** Reads a second that reach its objects, at the peak. */
  readonly objectReads: number;
  /** REGION_SHARDS that the region needs. */
  readonly objects: number;
  /** Reads a second of its origins, at the peak, just after the largest other region has gone. */
  readonly originReads: number;
  /** Origins of one vCPU each. */
  readonly origins: number;
  /** Nodes of its cluster. Every read of an origin counts as one of Bigtable. */
  readonly nodes: number;
  /** The reason for the number of nodes. */
  readonly nodesFor: 'reads' | 'writes' | 'storage';
}

export interface Size {
  /** CPUs of the workers at the peak. */
  readonly workerCpus: number;
  /** Isolates that are half busy at the peak. */
  readonly isolates: number;
  /** REGION_SHARDS: one number for all regions. */
  readonly objects: number;
  readonly regions: readonly RegionSize[];
  /** Bytes in each cluster, before compression. */
  readonly storedBytes: number;
  /** Rows a second of the load of a day. */
  readonly loadRows: number;
  /** Hours that one loader needs. */
  readonly loaderHours: number;
}

export function computeSize(workload: Workload): Size {
  const { users, listsPerUser, listBytes, readsPerSecond, edgeHits, loadHours } = workload;
  const lists = users * listsPerUser;
  const storedBytes = lists * (listBytes + CELL_BYTES) * LIST_VERSIONS;
  const loadRows = lists / (loadHours * 3_600);
  const workerCpus = (readsPerSecond * (edgeHits * CPU_US.workerHit + (1 - edgeHits) * CPU_US.workerCold)) / 1_000_000;
  const regions = [...workload.regions].map(([name]) => sizeRegion(name, workload, storedBytes, loadRows));
  return {
    workerCpus,
    isolates: Math.ceil(workerCpus / PLANNED_LOAD),
    objects: Math.max(...regions.map(({ objects }) => objects)),
    regions,
    storedBytes,
    loadRows,
    loaderHours: (lists * (LOADER.cpuUs + LOADER.cpuUsPerByte * listBytes)) / 1e6 / 3_600,
  };
}

function sizeRegion(name: string, workload: Workload, storedBytes: number, loadRows: number): RegionSize {
  const { readsPerSecond, edgeHits, rowsPerRead, regions, listBytes } = workload;
  const own = regions.get(name) ?? 0;
  const largestOther = Math.max(0, ...[...regions].filter(([other]) => other !== name).map(([, share]) => share));
  const objectReads = readsPerSecond * own * (1 - edgeHits);
  // No object of this region holds the lists of another one, so those reads reach the origins.
  const originReads = readsPerSecond * (own * rowsPerRead + largestOther * (1 - edgeHits));
  const originCpus = (originReads * CPU_US.originCold) / 1_000_000;
  // Google's figures are for rows of 1 kB.
  const kilobytes = Math.max(1, (listBytes + CELL_BYTES) / 1_000);
  const needs = {
    reads: (originReads * kilobytes) / BIGTABLE_NODE.reads / PLANNED_LOAD,
    writes: (loadRows * kilobytes) / BIGTABLE_NODE.writes / PLANNED_LOAD,
    storage: storedBytes / BIGTABLE_NODE.bytes / BIGTABLE_NODE.storageShare,
  };
  const [nodesFor, nodes] = (Object.entries(needs) as [RegionSize['nodesFor'], number][]).reduce((most, each) =>
    each[1] > most[1] ? each : most,
  );
  return {
    name,
    objectReads,
    objects: Math.max(1, Math.ceil(objectReads / OBJECT_REQUESTS / PLANNED_LOAD)),
    originReads,
    origins: Math.max(MIN_ORIGINS, Math.ceil(originCpus / PLANNED_LOAD)),
    nodes: Math.max(1, Math.ceil(nodes)),
    nodesFor,
  };
}
