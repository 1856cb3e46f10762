// Choice of the Bigtable behind the local cloud: the embedded one, Google's emulator, or a real instance that `--real`
// names. EARSHOT_PROJECT and EARSHOT_INSTANCE choose nothing: they may be set for another terminal's work.
import { parseClusters } from '../ops/cli/settings.ts';
import { UsageError } from '../ops/cli/usage-error.ts';
import { EMULATOR_HOST_PATTERN } from '../origin/bigtable/connection.ts';
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

export interface RealInstance {
  readonly project: string;
  readonly instance: string;
}

/** `real` wins over an emulator. Throws a UsageError for both, and for an invalid variable. */
export function chooseBackend(
  env: Readonly<Record<string, string | undefined>>,
  bigtablePort: number,
  real: RealInstance | undefined,
): Backend {
  const { BIGTABLE_EMULATOR_HOST: emulatorHost, EARSHOT_CLUSTERS } = env;
  if (real !== undefined) {
    if (emulatorHost !== undefined)
      throw new UsageError(`expected --real without BIGTABLE_EMULATOR_HOST, got ${JSON.stringify(emulatorHost)}`);
    const clusters = EARSHOT_CLUSTERS === undefined ? LOCAL_CLUSTERS : parseClusters(EARSHOT_CLUSTERS);
    return { kind: 'bigtable', ...real, emulatorHost: undefined, clusters };
  }
  if (emulatorHost !== undefined && !EMULATOR_HOST_PATTERN.test(emulatorHost))
    throw new UsageError(`expected BIGTABLE_EMULATOR_HOST to be host:port, got ${JSON.stringify(emulatorHost)}`);
  const local = { project: LOCAL_PROJECT, instance: LOCAL_INSTANCE, clusters: LOCAL_CLUSTERS };
  return emulatorHost === undefined
    ? { kind: 'embedded', ...local, emulatorHost: `127.0.0.1:${bigtablePort}` }
    : { kind: 'emulator', ...local, emulatorHost };
}

export function describeBackend({ kind, project, instance, clusters, emulatorHost }: Backend): string {
  const name = `${project}/${instance}`;
  switch (kind) {
    case 'embedded':
      return `${emulatorHost} embedded, clusters ${Object.values(clusters).join(' ')}`;
    case 'emulator':
      return `${emulatorHost} Google's emulator`;
    case 'bigtable':
      return `Cloud Bigtable, ${name}, clusters ${Object.values(clusters).join(' ')}`;
  }
}

/** Variables that name an instance which the local cloud does not use. */
export function ignoredVariables(env: Readonly<Record<string, string | undefined>>, { kind }: Backend): string[] {
  return kind === 'bigtable' ? [] : ['EARSHOT_PROJECT', 'EARSHOT_INSTANCE'].filter((name) => env[name] !== undefined);
}
