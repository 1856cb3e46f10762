// Choice of the Bigtable behind the local cloud: the embedded one, Google's emulator, or Cloud Bigtable.
import { parseClusters } from '../ops/cli/settings.ts';
import { LOCAL_CLUSTERS, LOCAL_INSTANCE, LOCAL_PROJECT } from './topology.ts';

export interface Backend {
  readonly kind: 'embedded' | 'emulator' | 'bigtable';
  readonly project: string;
  readonly instance: string;
  /** `host:port`; undefined for Cloud Bigtable. */
  readonly emulatorHost: string | undefined;
  /** Cluster id by region. */
  readonly clusters: Readonly<Record<string, string>>;
}

export function chooseBackend(env: Readonly<Record<string, string | undefined>>, bigtablePort: number): Backend {
  const { BIGTABLE_EMULATOR_HOST, EARSHOT_PROJECT, EARSHOT_INSTANCE, EARSHOT_CLUSTERS } = env;
  const named = {
    project: EARSHOT_PROJECT ?? LOCAL_PROJECT,
    instance: EARSHOT_INSTANCE ?? LOCAL_INSTANCE,
    clusters: EARSHOT_CLUSTERS === undefined ? LOCAL_CLUSTERS : parseClusters(EARSHOT_CLUSTERS),
  };
  if (BIGTABLE_EMULATOR_HOST !== undefined) return { kind: 'emulator', ...named, emulatorHost: BIGTABLE_EMULATOR_HOST };
  if (EARSHOT_PROJECT !== undefined && EARSHOT_INSTANCE !== undefined) {
    return { kind: 'bigtable', ...named, emulatorHost: undefined };
  }
  return {
    kind: 'embedded',
    project: LOCAL_PROJECT,
    instance: LOCAL_INSTANCE,
    clusters: LOCAL_CLUSTERS,
    emulatorHost: `127.0.0.1:${bigtablePort}`,
  };
}

export function describeBackend({ kind, project, instance, clusters, emulatorHost }: Backend): string {
  const name = `${project}/${instance}`;
  switch (kind) {
    case 'embedded':
      return `${emulatorHost} embedded, ${name}, clusters ${Object.values(clusters).join(' ')}`;
    case 'emulator':
      return `${emulatorHost} Google's emulator, ${name}`;
    case 'bigtable':
      return `Cloud Bigtable, ${name}, clusters ${Object.values(clusters).join(' ')}`;
  }
}
