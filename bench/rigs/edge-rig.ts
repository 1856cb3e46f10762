// The bundled worker and a bare one in front of one origin. The bare worker gets the real one's answers.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ask, createHttpLoad, type HttpLoad } from '../load/http-load.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { expectOk, makeListAsks, makeUsers, TOKEN_SECRET } from './edge-asks.ts';
import { type ListOrigin, startListOrigin } from './list-origin.ts';
import { bundleEdge, bundleLike, type WorkerBundle } from './worker-bundle.ts';
import { startWorkerd, type Workerd } from './workerd.ts';

/** Requests in flight, each over its own connection. */
const CONNECTIONS = 8;
const USERS = 100;

export interface Served extends Workerd {
  readonly load: HttpLoad;
}

export interface EdgeRig {
  readonly bundle: WorkerBundle;
  /** Maximum bytes in the isolate's memory tier, as configured. */
  readonly isolateCacheBytes: number;
  readonly origin: ListOrigin;
  readonly users: readonly string[];
  /** The read of each of `users`. */
  readonly asks: readonly Ask[];
  /** The answer to each of `asks`. */
  readonly bodies: readonly Buffer[];
  startEdge(options?: EdgeOptions): Promise<Served>;
  startBare(): Promise<Served>;
}

interface EdgeOptions {
  readonly withInspector?: boolean;
  /** Additional variables of the worker. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The address of the service behind each queue, by binding name. Default: none. */
  readonly queues?: Readonly<Record<string, string>>;
  /** Address for the spans of the worker. Default: they are not recorded. */
  readonly tracesUrl?: string;
  /** Whether to discard the worker's log. Default: it goes to standard error. */
  readonly isQuiet?: boolean;
}

export async function createEdgeRig(cleanup: Cleanup): Promise<EdgeRig> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  const origin = await startListOrigin();
  cleanup.add(origin.stop);
  const bundle = await bundleEdge(makeDirectory(directory, 'edge'));
  const bareEntry = join(import.meta.dirname, '../edge/bare.ts');
  const bareBundle = await bundleLike(bundle, bareEntry, makeDirectory(directory, 'bare'));

  async function start(options: Parameters<typeof startWorkerd>[0]): Promise<Served> {
    const workerd = await startWorkerd(options);
    const load = createHttpLoad(workerd.port, CONNECTIONS);
    const stop = async (): Promise<void> => {
      load.close();
      await workerd.stop();
    };
    cleanup.add(stop);
    return { ...workerd, load, stop };
  }

  const bindings = {
    ...bundle.vars,
    ENVIRONMENT: 'local',
    REGIONS: makeRegions(origin.url),
    // The benchmark measures the isolate: without Durable Objects the worker reads from the origin itself.
    REGION_TIER: 'off',
    TOKEN_SECRET,
    ORIGIN_SECRET: 'origin-secret-for-benches-only-0123456789-',
  };
  const tailEntry = join(import.meta.dirname, '../../dev/edge-tail/tail-worker.ts');
  let tailBundle: Promise<WorkerBundle> | undefined;
  const tailTo = async (tracesUrl: string) => {
    tailBundle ??= bundleLike(bundle, tailEntry, makeDirectory(directory, 'tail'));
    return { bundle: await tailBundle, bindings: { TRACES_URL: tracesUrl } };
  };
  const startEdge: EdgeRig['startEdge'] = async ({ variables, tracesUrl, ...options } = {}) => {
    const tail = tracesUrl === undefined ? undefined : await tailTo(tracesUrl);
    return start({ bundle, bindings: { ...bindings, ...variables }, tail, ...options });
  };

  const users = makeUsers(USERS);
  const asks = await makeListAsks(users);
  const bodies = await readBodies(await startEdge(), asks);
  const answers = Object.fromEntries(users.map((user, i) => [user, bodies[i]?.toString() ?? '']));
  return {
    bundle,
    isolateCacheBytes: readBytes(bundle),
    origin,
    users,
    asks,
    bodies,
    startEdge,
    startBare: () => start({ bundle: bareBundle, bindings: { BODIES: JSON.stringify(answers) } }),
  };
}

async function readBodies(edge: Served, asks: readonly Ask[]): Promise<Buffer[]> {
  const bodies: Buffer[] = [];
  for (const ask of asks) {
    const answer = await edge.load.ask(ask);
    expectOk(answer);
    bodies.push(answer.body);
  }
  await edge.stop();
  return bodies;
}

function readBytes({ vars }: WorkerBundle): number {
  const bytes = Number(vars.ISOLATE_CACHE_BYTES);
  if (!(bytes > 0)) throw new Error(`expected ISOLATE_CACHE_BYTES to be configured, got ${vars.ISOLATE_CACHE_BYTES}`);
  return bytes;
}

/** The configuration of one region with this origin. */
export const makeRegions = (origin: string): string =>
  JSON.stringify([{ name: 'asia', origin, locationHint: 'apac', latitude: 1.35, longitude: 103.82 }]);

function makeDirectory(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  return path;
}
