// The progress of a step: one line that is written over on a terminal, else a line every few seconds.
import { systemClock } from '../../shared/runtime/clock.ts';

export interface ProgressLine {
  readonly show: (text: string) => void;
  readonly clear: () => void;
}

const LINE_EVERY_MS = 10_000;
const CLEAR_LINE = '\r\x1b[K';

export function createProgressLine(output: NodeJS.WriteStream): ProgressLine {
  let isShown = false;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  return {
    show: (text) => {
      if (output.isTTY) {
        isShown = true;
        output.write(`${CLEAR_LINE}${text}`);
        return;
      }
      const nowMs = systemClock.now();
      if (nowMs - lastAtMs < LINE_EVERY_MS) return;
      lastAtMs = nowMs;
      output.write(`${text}\n`);
    },
    clear: () => {
      if (isShown) output.write(CLEAR_LINE);
      isShown = false;
    },
  };
}
