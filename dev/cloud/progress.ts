// The steps of a start: in one line of a terminal with the time since the start, else one line each.

const EVERY_MS = 100;
const CLEAR_LINE = '\r\u001b[K';

export interface StartProgress {
  show(step: string): void;
  /** Removes the line of a terminal. */
  end(): void;
}

export function createProgress(output: NodeJS.WriteStream): StartProgress {
  const startedAtMs = Date.now();
  if (!output.isTTY) return { show: (step) => output.write(`${step}\n`), end: () => undefined };
  // The real write: a step of a load redirects it.
  const write = output.write.bind(output);
  let current = 'starting';
  const draw = (): void => {
    write(`${CLEAR_LINE}${current} ... ${((Date.now() - startedAtMs) / 1000).toFixed(0)} s`);
  };
  const timer = setInterval(draw, EVERY_MS);
  return {
    show: (step) => {
      current = step;
      draw();
    },
    end: () => {
      clearInterval(timer);
      write(CLEAR_LINE);
    },
  };
}
