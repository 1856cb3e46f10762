// The `earshot` command in the process of the test: a call of its own process spends most of its time on its start.
import { type CommandResult, cleanEnvironment } from '../../../bench/rigs/local-cloud.ts';
import { runEarshot } from '../../../ops/program.ts';

let running: string | undefined;

/**
 * Runs one call with the environment of a command, and collects what it writes. Throws an Error during another
 * call: the environment and the streams are those of the process. Calls at once need processes of their own.
 */
export async function runInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const call = args.join(' ');
  if (running !== undefined) throw new Error(`expected the end of "earshot ${running}" before "earshot ${call}"`);
  running = call;
  const before = { env: process.env, stdout: process.stdout.write, stderr: process.stderr.write };
  const output = { stdout: '', stderr: '' };
  const collect = (stream: keyof typeof output) => (text: string | Uint8Array) => {
    output[stream] += String(text);
    return true;
  };
  process.env = { ...cleanEnvironment(), ...env };
  process.stdout.write = collect('stdout');
  process.stderr.write = collect('stderr');
  try {
    const code = await runEarshot(args);
    return { code, ...output };
  } finally {
    process.env = before.env;
    process.stdout.write = before.stdout;
    process.stderr.write = before.stderr;
    running = undefined;
  }
}
