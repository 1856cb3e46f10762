// Records the metrics of origins while a fault lasts: the figures on which the alerts of deploy/observability are
// tested. One sample a second stands for one a minute there, so that a fault of a minute fills an alert's hour.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Recorder {
  /** Scrapes once a second while `work` runs, and writes the samples as `NAME.json`. Without a directory: only runs. */
  record<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export interface Recorded {
  readonly name: string;
  /** Number of samples of each series. */
  readonly samples: number;
  /** In order; null where an origin did not answer. One number for a series that does not change. */
  readonly series: Readonly<Record<string, number | readonly (number | null)[]>>;
}

const EVERY_MS = 1_000;
const METRIC = /^(earshot_\w+|nodejs_eventloop_lag_p99_seconds|process_start_time_seconds)(\{[^}]*\})? (\S+)$/gm;

/** `directory`: that of EARSHOT_BENCH_RECORD. `origins`: addresses of metrics by region. */
export function createRecorder(
  origins: Readonly<Record<string, string>>,
  directory = process.env.EARSHOT_BENCH_RECORD,
): Recorder {
  return {
    record: async (name, work) => {
      if (directory === undefined) return work();
      const samples: Map<string, number>[] = [];
      const ended = new AbortController();
      const recording = sampleUntil(ended.signal, origins, samples);
      try {
        return await work();
      } finally {
        ended.abort();
        await recording;
        writeFileSync(
          join(directory, `${name}.json`),
          `${JSON.stringify({ name, samples: samples.length, series: toSeries(samples) })}\n`,
        );
      }
    },
  };
}

async function sampleUntil(
  ended: AbortSignal,
  origins: Readonly<Record<string, string>>,
  samples: Map<string, number>[],
): Promise<void> {
  for (let next = performance.now(); !ended.aborted; next += EVERY_MS) {
    const sample = new Map<string, number>();
    await Promise.all(Object.entries(origins).map(([region, url]) => scrape(region, url, sample)));
    samples.push(sample);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next + EVERY_MS - performance.now())));
  }
}

async function scrape(region: string, url: string, sample: Map<string, number>): Promise<void> {
  const job = `job="earshot-origin",instance="${region}"`;
  try {
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(EVERY_MS) })).text();
    for (const [, name = '', labels = '', value] of text.matchAll(METRIC))
      sample.set(`${name}{${job}${labels === '' ? '' : `,${labels.slice(1, -1)}`}}`, Number(value));
    sample.set(`up{${job}}`, 1);
  } catch {
    sample.set(`up{${job}}`, 0);
  }
}

function toSeries(samples: readonly Map<string, number>[]): Recorded['series'] {
  const names = [...new Set(samples.flatMap((sample) => [...sample.keys()]))].sort();
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
