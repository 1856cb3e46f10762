// The worker's OpenAPI document, from the worker's own app in this process. No region is called.
import { createApp } from '../../edge/app.ts';
import { createDeps } from '../../edge/assemble.ts';
import { readConfig } from '../../edge/config.ts';
import { systemPlatform } from '../../edge/platform.ts';
import { makeRandomSecret } from './random-secret.ts';

const config = readConfig({
  PUBLIC_HOSTS: 'edge.test',
  REGIONS: JSON.stringify([
    { name: 'asia', origin: 'https://asia.test', locationHint: 'apac', latitude: 1.35, longitude: 103.82 },
  ]),
  REGION_TIER: 'off',
  TOKEN_SECRET: makeRandomSecret(),
  ORIGIN_SECRET: makeRandomSecret(),
});

/** As JSON text. */
export async function readEdgeDocument(): Promise<string> {
  const platform = {
    ...systemPlatform,
    openCache: () => Promise.reject(new Error('expected no cache to be opened')),
    keyOrigin: 'https://edge.test',
    findObject: undefined,
  };
  const response = await createApp(createDeps(config, platform)).request('https://edge.test/openapi.json');
  return response.text();
}
