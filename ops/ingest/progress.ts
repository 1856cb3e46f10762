// Progress of a load on standard error: a bar on a terminal, else a line every few seconds.
import { Presets, SingleBar } from 'cli-progress';
import type { Clock } from '../../shared/runtime/clock.ts';
import { formatCount } from '../cli/format.ts';

export interface Progress {
  /** Undefined: the end of an input is not known. */
  start(totalBytes: number | undefined): void;
  /** Bytes read so far. */
  addBytes(bytes: number): void;
  setCounts(loaded: number, rejected: number): void;
  stop(): void;
}

export interface ProgressOptions {
  /** Name of the load, for example `home/control`. */
  readonly label: string;
  readonly output: NodeJS.WriteStream;
  readonly clock: Clock;
}

export const createProgress = (options: ProgressOptions): Progress =>
  options.output.isTTY ? createBar(options) : createPlainLines(options);

function createBar({ label, output }: ProgressOptions): Progress {
  const counts = '{loaded} loaded, {rejected} rejected';
  const make = (format: string) => new SingleBar({ stream: output, format }, Presets.shades_classic);
  let bar = make(`${label} {bar} {percentage} % | ${counts} | {eta_formatted} left`);
  return {
    start: (totalBytes) => {
      if (totalBytes === undefined) bar = make(`${label} ${counts}`);
      bar.start(totalBytes ?? Number.MAX_SAFE_INTEGER, 0, { loaded: 0, rejected: 0 });
    },
    addBytes: (bytes) => bar.increment(bytes),
    setCounts: (loaded, rejected) => bar.update({ loaded: formatCount(loaded), rejected: formatCount(rejected) }),
    stop: () => bar.stop(),
  };
}

const LINE_EVERY_MS = 5000;

function createPlainLines({ label, output, clock }: ProgressOptions): Progress {
  let totalBytes: number | undefined;
  let takenBytes = 0;
  let lastLineAtMs = 0;
  return {
    start: (total) => {
      totalBytes = total;
      lastLineAtMs = clock.now();
    },
    addBytes: (bytes) => {
      takenBytes += bytes;
    },
    setCounts: (loaded, rejected) => {
      const nowMs = clock.now();
      if (nowMs - lastLineAtMs < LINE_EVERY_MS) return;
      lastLineAtMs = nowMs;
      // The index of a Parquet file is read besides.
      const percent = Math.min(100, Math.floor((100 * takenBytes) / Math.max(1, totalBytes ?? 0)));
      const part = totalBytes === undefined ? `${formatCount(takenBytes)} bytes` : `${percent} %`;
      output.write(`${label}: ${part}, ${formatCount(loaded)} loaded, ${formatCount(rejected)} rejected\n`);
    },
    stop: () => undefined,
  };
}
