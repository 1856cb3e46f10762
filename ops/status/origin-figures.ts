// An origin's readiness, from `/readyz` as the worker reaches it, and its counters, from the port of its metrics.
import { call, describeCallError } from '../cli/http.ts';
import type { LocalCloud } from '../cli/settings.ts';

const TIMEOUT_MS = 1000;

export interface OriginFigures {
  readonly name: string;
  /** `ok`, the reason that the origin gives, or the reason why it did not answer. */
  readonly readiness: string;
  /** Sum over all labels, by metric. Empty without an answer. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Open publications, as the origin tells. */
  readonly releases: readonly OpenPublication[];
  /** Regions that are marked as degraded. */
  readonly degraded: readonly string[];
}

export interface OpenPublication {
  readonly release: string;
  readonly step: string;
  readonly stalledSeconds: number;
}

/** Never rejects: `readiness` says that an origin does not answer. */
export async function readOriginFigures({
  name,
  origin,
  metrics: url,
}: LocalCloud['regions'][number]): Promise<OriginFigures> {
  const [readiness, text] = await Promise.all([readReadiness(origin), url === undefined ? '' : readMetrics(url)]);
  return { name, readiness, metrics: sumMetrics(text), ...readReleases(text) };
}

async function readReadiness(origin: string): Promise<string> {
  try {
    const { status, text } = await call(`${origin}/readyz`, { timeoutMs: TIMEOUT_MS });
    return parseStatus(text) ?? `status ${status}`;
  } catch (error) {
    return describeCallError(error);
  }
}

async function readMetrics(url: string): Promise<string> {
  try {
    const { status, text } = await call(`${url}/metrics`, { timeoutMs: TIMEOUT_MS });
    return status === 200 ? text : '';
  } catch {
    return '';
  }
}

/** The releases in Prometheus' text format. */
export function readReleases(text: string): Pick<OriginFigures, 'releases' | 'degraded'> {
  const releases: OpenPublication[] = [];
  const degraded: string[] = [];
  for (const [, name, labels = '', value] of text.matchAll(
    /^earshot_(release_stalled_seconds|degraded_region)\{(.*)\} (\S+)$/gm,
  )) {
    const label = (key: string): string => new RegExp(`(?:^|,)${key}="([^"]*)"`).exec(labels)?.[1] ?? '';
    if (name === 'degraded_region') degraded.push(label('degraded'));
    else releases.push({ release: label('release'), step: label('step'), stalledSeconds: Number(value) });
  }
  return { releases, degraded };
}

function parseStatus(text: string): string | undefined {
  try {
    const { status } = JSON.parse(text) as { status?: unknown };
    return typeof status === 'string' ? status : undefined;
  } catch {
    return undefined;
  }
}

/** Sums each metric of Prometheus' text format over its labels. */
export function sumMetrics(text: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [, name = '', value] of text.matchAll(/^([a-z_:][\w:]*)(?:\{.*\})? (\S+)$/gim)) {
    sums[name] = (sums[name] ?? 0) + Number(value);
  }
  return sums;
}
