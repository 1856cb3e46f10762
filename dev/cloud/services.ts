// Start parameters of each process of the local cloud: entry, environment and arguments.
import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NODE_ARGS } from '../../origin/node-args.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Backend } from '../backend.ts';
import { DEV_LOCATIONS } from '../topology.ts';
import type { ChildSpec } from './children.ts';
import { formatEnvFile } from './env-file.ts';
import type { Secrets } from './state.ts';

const repository = join(import.meta.dirname, '../..');

export const bigtableService = (port: number, controlPort: number): ChildSpec => ({
  name: 'bigtable',
  args: [
    ...[...NODE_ARGS, join(repository, 'dev/bigtable/main.ts'), '--port', String(port)],
    ...['--control-port', String(controlPort)],
  ],
  env: process.env,
});

export const originService = (backend: Backend, secrets: Secrets, name: string, port: number): ChildSpec => ({
  name,
  args: [...NODE_ARGS, join(repository, 'origin/start.mjs')],
  env: {
    ...process.env,
    EARSHOT_REGION: name,
    EARSHOT_PROJECT: backend.project,
    EARSHOT_INSTANCE: backend.instance,
    BIGTABLE_EMULATOR_HOST: backend.emulatorHost,
    EARSHOT_ORIGIN_SECRET: secrets.origin,
    EARSHOT_DRAIN_DELAY_MS: '0',
    HOST: '127.0.0.1',
    PORT: String(port),
  },
});

/** Variables and secrets of a worker in front of the local cloud. All others are in wrangler.toml. */
export const edgeVariables = (
  secrets: Secrets,
  regions: readonly Region[],
  corsOrigins: readonly string[],
): Record<string, string> => ({
  ENVIRONMENT: 'local',
  REGIONS: JSON.stringify(regions),
  DEV_LOCATIONS: JSON.stringify(DEV_LOCATIONS),
  CORS_ORIGINS: corsOrigins.join(','),
  TOKEN_SECRET: secrets.token,
  ORIGIN_SECRET: secrets.origin,
});

/** Wrangler reads secrets from a file, so no process list shows them. With --env-file it ignores .dev.vars. */
export function edgeService(
  port: number,
  stateDirectory: string,
  variables: Readonly<Record<string, string>>,
): ChildSpec {
  const envFile = resolve(stateDirectory, 'edge.env');
  const persisted = resolve(stateDirectory, 'wrangler');
  // Clears the previous run's data-centre cache: its manifest may have a later version than the new one, which begins
  // at 1.
  rmSync(persisted, { recursive: true, force: true });
  writeFileSync(envFile, formatEnvFile(variables), { mode: 0o600 });
  return {
    name: 'edge',
    args: [
      ...[fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json'))), 'dev'],
      ...['--config', join(repository, 'wrangler.toml'), '--env-file', envFile],
      ...['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--persist-to', persisted, '--show-interactive-dev-session=false'],
    ],
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true' },
  };
}
