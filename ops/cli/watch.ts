// The same again and again, in place on a terminal and one after the other anywhere else.
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface WatchOptions {
  readonly everyMs: number;
  readonly clock: Clock;
  readonly output: { readonly isTTY?: boolean; write(text: string): unknown };
}

const CLEAR_SCREEN = '\u001b[H\u001b[J';

/** Writes what `make` gives, or why it gives nothing, and never ends by itself. */
export async function watch(make: () => Promise<string>, { everyMs, clock, output }: WatchOptions): Promise<never> {
  for (;;) {
    const text = await make().catch((error: Error) => `${error.message}\n`);
    output.write(output.isTTY ? CLEAR_SCREEN + text : text);
    await pause(clock, everyMs);
  }
}
