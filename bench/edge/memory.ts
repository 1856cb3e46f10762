// Live bytes of an isolate after requests for many more lists than fit, beyond those of a warm and nearly empty
// isolate. Measured through the inspector, in its own process because an inspector costs time.
import { createBatchAsks, expectHit, expectOk, makeListAsks, makeUsers, READS_PER_BATCH } from '../rigs/edge-asks.ts';
import type { EdgeRig } from '../rigs/edge-rig.ts';
import { connectInspector, measureLiveBytes } from '../rigs/inspector.ts';

export const LISTS = 100_000;
const WARM_UP_BATCHES = 100;
const WARM_UP_USERS = 10;

export interface Memory {
  readonly liveBytes: number;
  readonly vsConfigured: number;
  readonly listsPerSecond: number;
}

export async function measureMemory({ startEdge, origin, isolateCacheBytes }: EdgeRig): Promise<Memory> {
  const { load, inspectorPort = 0, stop } = await startEdge({ withInspector: true });
  const makeBatch = await createBatchAsks();
  const few = makeUsers(WARM_UP_USERS);
  const warmUp = makeBatch(Array.from({ length: READS_PER_BATCH }, (_, i) => few[i % WARM_UP_USERS] ?? ''));
  await load.run(WARM_UP_BATCHES, () => warmUp, expectOk);

  const inspector = await connectInspector(inspectorPort);
  const measure = () => measureLiveBytes(inspector, () => load.ask({ path: '/healthz' }));
  const baseBytes = await measure();
  const readsBefore = origin.reads;
  const startedAtMs = performance.now();
  const askOf = (i: number) => makeBatch(makeUsers(READS_PER_BATCH, WARM_UP_USERS + i * READS_PER_BATCH));
  await load.run(LISTS / READS_PER_BATCH, askOf, expectOk);
  const durationMs = performance.now() - startedAtMs;
  const liveBytes = (await measure()) - baseBytes;
  inspector.close();
  if (origin.reads - readsBefore < LISTS)
    throw new Error(`expected ${LISTS} lists to be new to the isolate, got ${origin.reads - readsBefore}`);
  // The last list must be in memory, or the figure is low for the wrong reason.
  const [last] = await makeListAsks(makeUsers(1, WARM_UP_USERS + LISTS - 1));
  if (last !== undefined) expectHit(await load.ask(last));
  await stop();
  return { liveBytes, vsConfigured: liveBytes / isolateCacheBytes, listsPerSecond: LISTS / (durationMs / 1000) };
}
