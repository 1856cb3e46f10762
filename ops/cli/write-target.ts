// The instance that a command is about to write: it is named, and on a terminal a real one is asked for.
import { createInterface } from 'node:readline/promises';
import { type ConnectionFlags, findInstance } from './settings.ts';
import { UsageError } from './usage-error.ts';

export interface WriteFlags extends ConnectionFlags {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Throws a UsageError if no instance is configured, or the answer is no. A dry run writes nothing and asks nothing. */
export async function confirmWrite(flags: WriteFlags): Promise<void> {
  if (flags.dryRun) return;
  const { project, instance, emulatorHost } = findInstance(flags);
  const target = `${project}/${instance} ${emulatorHost === undefined ? 'of Cloud Bigtable' : `at ${emulatorHost}`}`;
  if (emulatorHost === undefined && !flags.yes && process.stdin.isTTY && process.stderr.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(`Write to ${target}? [y/N] `).finally(() => terminal.close());
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError(`nothing was written to ${target}; --yes does not ask`);
  } else process.stderr.write(`writing to ${target}\n`);
}
