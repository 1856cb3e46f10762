// A shell command with the last word over a table: it reads the table as JSON, and the first line of its output is
// `proceed`, `wait` or `abort`. All else is an abort, with the reason.
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import { type RunShell, runShell } from '../cli/shell-command.ts';

export type CommandVerdict = { readonly verdict: 'proceed' } | { readonly verdict: 'abort'; readonly reason: string };

export interface VerdictCommandOptions {
  readonly clock: Clock;
  /** Called before each wait. */
  readonly onWait?: (waitMs: number) => void;
  /** Default: a process. */
  readonly run?: RunShell;
}

/** All runs and waits together. */
const MAX_MS = 600_000;
const WAIT_MS = 60_000;
const MAX_OUTPUT_BYTES = 65_536;
const MAX_SHOWN_CHARS = 200;

/** Never rejects. `table` is any value that has a JSON form. */
export async function runVerdictCommand(
  command: string,
  table: unknown,
  { clock, onWait, run = runShell }: VerdictCommandOptions,
): Promise<CommandVerdict> {
  const input = `${JSON.stringify(table)}\n`;
  const untilMs = clock.monotonicNow() + MAX_MS;
  const leftMs = (): number => untilMs - clock.monotonicNow();
  for (;;) {
    const result = await run(command, { input, timeoutMs: leftMs(), maxOutputBytes: MAX_OUTPUT_BYTES, clock });
    if (result.failure !== undefined) return abort(result.failure);
    const [line = '', next = ''] = result.output.split('\n').map((each) => each.trim());
    if (line === 'proceed') return { verdict: 'proceed' };
    if (line === 'abort') return abort(next === '' ? 'it said abort' : `it said abort: ${shorten(next)}`);
    if (line !== 'wait')
      return abort(
        `expected the first line of its output to be proceed, wait or abort, got ${JSON.stringify(shorten(line))}`,
      );
    if (leftMs() <= WAIT_MS) return abort(`it said wait for ${MAX_MS / 60_000} minutes`);
    onWait?.(WAIT_MS);
    await pause(clock, WAIT_MS);
  }
}

const abort = (reason: string): CommandVerdict => ({ verdict: 'abort', reason });

const shorten = (text: string): string => text.slice(0, MAX_SHOWN_CHARS);
