// Progress of a load on standard error: a bar on a terminal, else a line every few seconds.
import { Presets, SingleBar } from 'cli-progress';
import type { Clock } from '../../shared/runtime/clock.ts';
import { formatCount } from '../cli/format.ts';

export interface Progress {
  start(totalBytes: number): void;
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
  const bar = new SingleBar(
    {
      stream: output,
      format: `${label} {bar} {percentage} % | {loaded} loaded, {rejected} rejected | {eta_formatted} left`,
    },
    Presets.shades_classic,
  );
  return {
    start: (totalBytes) => bar.start(totalBytes, 0, { loaded: 0, rejected: 0 }),
    addBytes: (bytes) => bar.increment(bytes),
    setCounts: (loaded, rejected) => bar.update({ loaded: formatCount(loaded), rejected: formatCount(rejected) }),
    stop: () => bar.stop(),
  };
}

const LINE_EVERY_MS = 5000;

function createPlainLines({ label, output, clock }: ProgressOptions): Progress {
  let totalBytes = 0;
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
      const percent = Math.floor((100 * takenBytes) / Math.max(1, totalBytes));
      output.write(`${label}: ${percent} %, ${formatCount(loaded)} loaded, ${formatCount(rejected)} rejected\n`);
    },
    stop: () => undefined,
  };
}
