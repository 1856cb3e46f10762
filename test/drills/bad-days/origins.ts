// The origin processes of a drill, one in each region, that are moved to another instance or ended.
import { BENCH_SECRET, type OriginProcess, startOriginProcess } from '../../../bench/rigs/origin-process.ts';
import type { BenchBigtable } from '../../../bench/rigs/processes.ts';
import type { Cleanup } from '../../../bench/support/cleanup.ts';
import { readServedManifests } from '../../../ops/manifest/served-manifests.ts';
import type { Region } from '../../../shared/domain/regions.ts';

export interface DrillOrigins {
  /** Starts the origin of the region, in the place of the one that runs. */
  start(region: Region, env?: Readonly<Record<string, string>>): Promise<void>;
  stop(region: Region): Promise<void>;
  /** Version of the manifest by region, of those that run. */
  versions(): Promise<Record<string, number | undefined>>;
}

export function createOrigins(cleanup: Cleanup, { env: bigtable }: BenchBigtable): DrillOrigins {
  const running = new Map<string, { readonly region: Region; readonly process: OriginProcess }>();
  const stop = async ({ name }: Region): Promise<void> => {
    await running.get(name)?.process.stop();
    running.delete(name);
  };
  return {
    stop,
    start: async (region, env = {}) => {
      await stop(region);
      const { port } = new URL(region.origin);
      const own = { EARSHOT_REGION: region.name, EARSHOT_DRAIN_DELAY_MS: '500', PORT: port };
      running.set(region.name, { region, process: await startOriginProcess(cleanup, { ...bigtable, ...own, ...env }) });
    },
    versions: async () => {
      const regions = [...running.values()].map(({ region }) => region);
      const served = await readServedManifests({ regions, secret: BENCH_SECRET });
      return Object.fromEntries(served.map(({ name, manifest }) => [name, manifest?.version]));
    },
  };
}
