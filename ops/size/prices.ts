// List prices, and the cost of a size in a month.
import { z } from 'zod';
import { CPU_US, LIST_VERSIONS, OBJECT_BYTES, SECONDS_IN_MONTH } from './figures.ts';
import type { Size, Workload } from './sizing.ts';

const price = z.number().nonnegative();

/** The file of `--prices`. Each price is in `currency`. GB are 10^9 bytes. */
export const pricesSchema = z.strictObject({
  /** The day on which the prices were read. */
  date: z.iso.date(),
  currency: z.string().min(1),
  /** Where the prices come from, and what they leave out. */
  source: z.string().min(1),
  cloudflare: z.strictObject({
    workerRequestsMillion: price,
    workerCpuMsMillion: price,
    objectRequestsMillion: price,
    objectGbSecondsMillion: price,
  }),
  google: z.strictObject({
    bigtableNodeHour: price,
    bigtableStorageGbMonth: price,
    /** Replication to one further cluster, in another continent. */
    replicationGb: price,
    cloudRunVcpuSecond: price,
    cloudRunGibSecond: price,
    /** From an origin to Cloudflare. */
    egressGb: price,
  }),
});

export type Prices = z.infer<typeof pricesSchema>;

export interface Cost {
  readonly name: string;
  readonly month: number;
}

/** GiB of memory of one origin: its caches and Node (deploy/terraform). */
const ORIGIN_GIB = 1;
const DAYS_IN_MONTH = 30;

/** The parts of the bill of a month, without free allotments, discounts and support. */
export function computeCosts(workload: Workload, size: Size, { cloudflare, google }: Prices): readonly Cost[] {
  const { readsPerSecond, meanShare, edgeHits, rowsPerRead, listBytes } = workload;
  const reads = readsPerSecond * meanShare * SECONDS_IN_MONTH;
  const workerCpuMs = (reads * (edgeHits * CPU_US.workerHit + (1 - edgeHits) * CPU_US.workerCold)) / 1_000;
  const objects = size.objects * size.regions.length;
  const sum = (of: (region: Size['regions'][number]) => number): number =>
    size.regions.reduce((total, region) => total + of(region), 0);
  const loadedGb = (size.storedBytes / LIST_VERSIONS / 1e9) * DAYS_IN_MONTH;
  const originHours = sum(({ origins }) => origins) * SECONDS_IN_MONTH;
  return [
    { name: 'workers: requests', month: (reads / 1e6) * cloudflare.workerRequestsMillion },
    { name: 'workers: CPU', month: (workerCpuMs / 1e6) * cloudflare.workerCpuMsMillion },
    { name: 'objects: requests', month: ((reads * (1 - edgeHits)) / 1e6) * cloudflare.objectRequestsMillion },
    {
      name: 'objects: duration',
      month: ((objects * SECONDS_IN_MONTH * OBJECT_BYTES) / 1e9 / 1e6) * cloudflare.objectGbSecondsMillion,
    },
    {
      name: 'origins',
      month: originHours * (google.cloudRunVcpuSecond + ORIGIN_GIB * google.cloudRunGibSecond),
    },
    { name: 'origins: egress', month: ((reads * rowsPerRead * listBytes) / 1e9) * google.egressGb },
    {
      name: 'Bigtable: nodes',
      month: ((sum(({ nodes }) => nodes) * SECONDS_IN_MONTH) / 3_600) * google.bigtableNodeHour,
    },
    {
      name: 'Bigtable: storage',
      month: (size.storedBytes / 1e9) * size.regions.length * google.bigtableStorageGbMonth,
    },
    { name: 'Bigtable: replication', month: loadedGb * (size.regions.length - 1) * google.replicationGb },
  ];
}
