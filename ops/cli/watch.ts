// Prints the same report at intervals: in place on a terminal, else one after the other.
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface WatchOptions {
  readonly everyMs: number;
  readonly clock: Clock;
  readonly output: { readonly isTTY?: boolean; write(text: string): unknown };
}

const CLEAR_SCREEN = '\u001b[H\u001b[J';

/** Prints the result of `make`, or its error. Never returns. */
export async function watch(make: () => Promise<string>, { everyMs, clock, output }: WatchOptions): Promise<never> {
  for (;;) {
    const text = await make().catch((error: Error) => `${error.message}\n`);
    output.write(output.isTTY ? CLEAR_SCREEN + text : text);
    await pause(clock, everyMs);
  }
}
