// Start parameters of each process of the local cloud: entry, environment and arguments.
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePrivate } from '../../ops/cli/state-file.ts';
import { NODE_ARGS } from '../../origin/node-args.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Backend } from '../backend.ts';
import { COMPILE_CACHE } from '../compile-cache.ts';
import { CONTROL_HOST } from '../control-listener.ts';
import type { PartSpec } from '../processes/supervisor.ts';
import { answersOk, reasonIn } from '../processes/wait.ts';
import { DEV_LOCATIONS } from '../topology.ts';
import { formatEnvFile } from './env-file.ts';
import type { Secrets } from './state.ts';

const repository = join(import.meta.dirname, '../..');

/**
 * Environment of every part: without proxies, because all parts are on this machine, and without the caller's own
 * settings of an instance.
 */
function partEnvironment(): Record<string, string | undefined> {
  const ignored = /^(.*_proxy|EARSHOT_(PROJECT|INSTANCE|CLUSTERS)|BIGTABLE_EMULATOR_HOST|NODE_USE_ENV_PROXY)$/i;
  const kept = Object.entries(process.env).filter(([name]) => !ignored.test(name));
  return { ...Object.fromEntries(kept), NODE_COMPILE_CACHE: COMPILE_CACHE };
}

/** Ends the other parts if the launcher is killed. */
export const guardService = (stateDirectory: string): PartSpec => ({
  name: 'guard',
  args: [join(repository, 'dev/cloud/guard.ts'), stateDirectory],
  env: partEnvironment(),
  isReady: async () => true,
  isTied: true,
});

/** Its rows outlive the process, and begin empty with the cloud. */
export function bigtableService(port: number, controlPort: number, stateDirectory: string): PartSpec {
  const journal = join(stateDirectory, 'bigtable.journal');
  rmSync(journal, { force: true });
  return {
    name: 'bigtable',
    args: [
      ...[...NODE_ARGS, join(repository, 'dev/bigtable/main.ts'), '--port', String(port)],
      ...['--control-port', String(controlPort), '--journal', journal],
    ],
    env: partEnvironment(),
    // The control port answers only when Bigtable serves. An open Bigtable port may belong to the free-port check.
    isReady: () => answersOk(`http://${CONTROL_HOST}:${controlPort}/clusters`),
  };
}

interface OriginPlace {
  /** Base address of the collector of spans. */
  readonly tracesUrl: string | undefined;
  readonly region: string;
  readonly port: number;
  readonly metricsPort: number;
}

export const originService = (
  backend: Backend,
  secrets: Secrets,
  { region, port, metricsPort, tracesUrl }: OriginPlace,
): PartSpec => ({
  name: `origin/${region}`,
  args: [...NODE_ARGS, join(repository, 'origin/start.mjs')],
  env: {
    // Google's service may be behind a proxy.
    ...(backend.kind === 'bigtable' ? process.env : partEnvironment()),
    EARSHOT_REGION: region,
    EARSHOT_PROJECT: backend.project,
    EARSHOT_INSTANCE: backend.instance,
    BIGTABLE_EMULATOR_HOST: backend.emulatorHost,
    EARSHOT_ORIGIN_SECRET: secrets.origin,
    EARSHOT_DRAIN_DELAY_MS: '0',
    HOST: '127.0.0.1',
    PORT: String(port),
    EARSHOT_METRICS_PORT: String(metricsPort),
    OTEL_EXPORTER_OTLP_ENDPOINT: tracesUrl,
  },
  isReady: () => answersOk(`http://127.0.0.1:${port}/readyz`),
  whyNotReady: () => reasonIn(`http://127.0.0.1:${metricsPort}/readyz`),
});

/** Variables and secrets of a worker in front of the local cloud. All others are in wrangler.toml. */
export const edgeVariables = (
  secrets: Secrets,
  regions: readonly Region[],
  corsOrigins: readonly string[],
): Record<string, string> => ({
  ENVIRONMENT: 'local',
  // A deployment's hosts in wrangler.toml do not apply here.
  PUBLIC_HOSTS: '',
  REGIONS: JSON.stringify(regions),
  DEV_LOCATIONS: JSON.stringify(DEV_LOCATIONS),
  CORS_ORIGINS: corsOrigins.join(','),
  TOKEN_SECRET: secrets.token,
  ORIGIN_SECRET: secrets.origin,
  HASH_KEY: secrets.hash,
});

/** The configuration of the worker without tracing. */
export const EDGE_CONFIG = join(repository, 'wrangler.toml');

/**
 * `configs`: the worker's first. Wrangler reads secrets from a file, so no process list shows them. With --env-file it
 * ignores .dev.vars.
 */
export function edgeService(
  port: number,
  stateDirectory: string,
  configs: readonly string[],
  variables: Readonly<Record<string, string>>,
): PartSpec {
  const envFile = resolve(stateDirectory, 'edge.env');
  const persisted = resolve(stateDirectory, 'wrangler');
  // Clears the previous run's data-centre cache: its manifest may have a later version than the new one, which begins
  // at 1.
  rmSync(persisted, { recursive: true, force: true });
  writePrivate(envFile, formatEnvFile(variables));
  return {
    name: 'edge',
    args: [
      ...[fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json'))), 'dev'],
      ...configs.flatMap((config) => ['--config', config]),
      ...['--env-file', envFile],
      ...['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--persist-to', persisted, '--show-interactive-dev-session=false'],
    ],
    env: { ...partEnvironment(), WRANGLER_SEND_METRICS: 'false', CI: 'true' },
    isReady: () => answersOk(`http://127.0.0.1:${port}/healthz`),
    helper: 'workerd',
  };
}
