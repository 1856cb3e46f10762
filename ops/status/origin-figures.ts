// What an origin tells of itself, as it is reached: `/readyz`, and the counters in `/metrics`.
import { describeFetchError } from '../cli/fetch-json.ts';

const TIMEOUT_MS = 1000;

export interface OriginFigures {
  readonly name: string;
  /** `ok`, what it says it waits for, or why nothing came. */
  readonly readiness: string;
  /** Sum over all labels, by the metric's name; empty where nothing came. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Never rejects: an origin that is not there has that as its readiness. */
export async function readOriginFigures({ name, origin }: { name: string; origin: string }): Promise<OriginFigures> {
  const [readiness, metrics] = await Promise.all([readReadiness(origin), readMetrics(origin)]);
  return { name, readiness, metrics };
}

async function readReadiness(origin: string): Promise<string> {
  try {
    const response = await get(`${origin}/readyz`);
    const text = await response.text();
    return parseStatus(text) ?? `status ${response.status}`;
  } catch (error) {
    return describeFetchError(error);
  }
}

async function readMetrics(origin: string): Promise<Record<string, number>> {
  try {
    const response = await get(`${origin}/metrics`);
    return response.ok ? sumMetrics(await response.text()) : {};
  } catch {
    return {};
  }
}

const get = (url: string): Promise<Response> => fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });

function parseStatus(text: string): string | undefined {
  try {
    const { status } = JSON.parse(text) as { status?: unknown };
    return typeof status === 'string' ? status : undefined;
  } catch {
    return undefined;
  }
}

/** Prometheus' text format, each metric summed over its labels. */
export function sumMetrics(text: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [, name = '', value] of text.matchAll(/^([a-z_:][\w:]*)(?:\{.*\})? (\S+)$/gim)) {
    sums[name] = (sums[name] ?? 0) + Number(value);
  }
  return sums;
}
