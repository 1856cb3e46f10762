// Records the metrics of origins while a fault lasts: the figures on which the alerts of deploy/observability are
// tested. A sample a second stands there for one a minute, so that a fault of a minute fills an alert's hour.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause, systemClock } from '../../shared/runtime/clock.ts';

export interface Recorder {
  /** Scrapes while `work` runs, and writes the samples as `NAME.json`. */
  record<T>(name: string, work: () => Promise<T>, how?: RecordOptions): Promise<T>;
}

export interface RecordOptions {
  /** Seconds between two scrapes. Default: 1. */
  readonly everySeconds?: number;
  /** Seconds that the time between two samples stands for. Default: 60. */
  readonly stepSeconds?: number;
  /** Whether to keep metrics that no alert has. Default: false. */
  readonly isWhole?: boolean;
}

export interface Recorded {
  readonly name: string;
  readonly stepSeconds: number;
  /** Number of samples of each series. */
  readonly samples: number;
  /** In order; null where an origin did not answer. One number for a series that does not change. */
  readonly series: Readonly<Record<string, number | readonly (number | null)[]>>;
}

const SCRAPE_TIMEOUT_MS = 1_000;
const ALERTS = join(import.meta.dirname, '../../deploy/observability/alerts.yml');
const METRIC = /^(earshot_\w+|nodejs_eventloop_lag_p99_seconds|process_start_time_seconds)(\{[^}]*\})? (\S+)$/gm;

/** `origins`: addresses of metrics by region. */
export function createRecorder(directory: string, origins: Readonly<Record<string, string>>): Recorder {
  return {
    record: async (name, work, { everySeconds = 1, stepSeconds = 60, isWhole = false } = {}) => {
      const samples: Map<string, number>[] = [];
      const ended = new AbortController();
      const recording = sampleUntil(ended.signal, origins, samples, 1_000 * everySeconds);
      try {
        return await work();
      } finally {
        ended.abort();
        await recording;
        writeFileSync(
          join(directory, `${name}.json`),
          `${JSON.stringify({ name, stepSeconds, samples: samples.length, series: toSeries(samples, isWhole) })}\n`,
        );
      }
    },
  };
}

async function sampleUntil(
  ended: AbortSignal,
  origins: Readonly<Record<string, string>>,
  samples: Map<string, number>[],
  everyMs: number,
): Promise<void> {
  for (let next = performance.now() + everyMs; !ended.aborted; next += everyMs) {
    const sample = new Map<string, number>();
    await Promise.all(Object.entries(origins).map(([region, url]) => scrape(region, url, sample)));
    samples.push(sample);
    await pause(systemClock, Math.max(0, next - performance.now()));
  }
}

async function scrape(region: string, url: string, sample: Map<string, number>): Promise<void> {
  const job = `job="earshot-origin",instance="${region}"`;
  try {
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) })).text();
    for (const [, name = '', labels = '', value] of text.matchAll(METRIC))
      sample.set(`${name}{${job}${labels === '' ? '' : `,${labels.slice(1, -1)}`}}`, Number(value));
    sample.set(`up{${job}}`, 1);
  } catch {
    sample.set(`up{${job}}`, 0);
  }
}

function toSeries(samples: readonly Map<string, number>[], isWhole: boolean): Recorded['series'] {
  const alerts = isWhole ? '' : readFileSync(ALERTS, 'utf8');
  const isKept = (series: string): boolean => isWhole || alerts.includes(series.slice(0, series.indexOf('{')));
  const names = [...new Set(samples.flatMap((sample) => [...sample.keys()]))].filter(isKept).sort();
  return Object.fromEntries(
    names.map((name) => {
      const values = samples.map((sample) => sample.get(name) ?? null);
      const [first = 0] = values;
      return [name, first !== null && values.every((value) => value === first) ? first : values];
    }),
  );
}

/** The samples of each series of a recording, all of the same length. */
export function expandSeries({ samples, series }: Recorded): Readonly<Record<string, readonly (number | null)[]>> {
  const expand = (values: Recorded['series'][string]) =>
    typeof values === 'number' ? new Array<number>(samples).fill(values) : values;
  return Object.fromEntries(Object.entries(series).map(([name, values]) => [name, expand(values)]));
}
