// Whether a version of the manifest is live. Origins say it by their heartbeats. Isolates of the edge cannot be listed:
// they take a version up within EDGE_BOUND_MS, and a sample of them can be asked.
import { pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { waitForHeartbeats } from '../bigtable/heartbeats.ts';
import type { EdgeSample } from './edge-sample.ts';

/** Each isolate has a manifest at most this long after it was written: 2 s at origins, 10 s at the edge. */
export const EDGE_BOUND_MS = 12_000;
const SAMPLE_EVERY_MS = 500;

export interface ConfirmOptions {
  readonly version: number;
  /** When the version was written. */
  readonly writtenAtMs: number;
  /** Regions that are not waited for. */
  readonly exceptRegions: readonly string[];
  /** Asks an isolate; undefined without an edge that is known. */
  readonly sampleEdge: EdgeSample | undefined;
}

/** Waits, and returns one line for an operator. */
export async function confirmLive(control: ControlTable, options: ConfirmOptions): Promise<string> {
  const { version, writtenAtMs, exceptRegions } = options;
  const { clock } = control.retries;
  const { confirmed, missing, regions } = await waitForOrigins(control, version, {
    clock,
    waitMs: EDGE_BOUND_MS,
    exceptRegions,
  });
  const edge = await confirmEdge(control, options);
  const known = confirmed.length + missing.length;
  const origins =
    known === 0
      ? 'no origin process is known'
      : `${confirmed.length} of ${known} origin processes have it (${regions.join(', ')})`;
  const lagging =
    missing.length === 0 ? '' : `; not yet: ${missing.map(({ region, process }) => `${region} ${process}`).join(', ')}`;
  const isUsed = confirmed.length > 0 || edge !== 'unknown';
  if (isUsed && edge !== 'confirmed') {
    const leftMs = writtenAtMs + EDGE_BOUND_MS - clock.now();
    if (leftMs > 0) await pause(clock, leftMs);
  }
  return `version ${version}: ${origins}${lagging}; ${describeEdge(edge, isUsed)}\n`;
}

/** An instance that an earlier `schema apply` set up has no heartbeats. */
async function waitForOrigins(...args: Parameters<typeof waitForHeartbeats>): ReturnType<typeof waitForHeartbeats> {
  try {
    return await waitForHeartbeats(...args);
  } catch (error) {
    if (!(error instanceof EarshotError) || error.code !== 'internal') throw error;
    process.stderr.write(`note: ${error.message}\n`);
    return { confirmed: [], missing: [], regions: [] };
  }
}

type EdgeAnswer = 'confirmed' | 'late' | 'unknown';

function describeEdge(edge: EdgeAnswer, isUsed: boolean): string {
  if (edge === 'confirmed') return 'the edge has it';
  if (edge === 'late') return `the edge did not show it within ${EDGE_BOUND_MS / 1000} s`;
  const bound = `${EDGE_BOUND_MS / 1000} s`;
  return isUsed
    ? `its isolates cannot be asked: their bound of ${bound} has passed`
    : `the edge takes it up within ${bound}`;
}

/** `unknown` if no edge was asked, or it does not answer at all. */
async function confirmEdge(
  control: ControlTable,
  { version, writtenAtMs, sampleEdge }: ConfirmOptions,
): Promise<EdgeAnswer> {
  if (sampleEdge === undefined) return 'unknown';
  const { clock } = control.retries;
  for (;;) {
    const sample = await sampleEdge();
    if (sample === undefined) return 'unknown';
    if (sample.version >= version) return 'confirmed';
    if (clock.now() + SAMPLE_EVERY_MS > writtenAtMs + EDGE_BOUND_MS) return 'late';
    await pause(clock, SAMPLE_EVERY_MS);
  }
}
