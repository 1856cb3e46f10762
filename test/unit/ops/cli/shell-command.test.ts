// Shell commands as real processes: input, output, ends, bounds, and that no process of the group is left, also after
// the end of the caller.
import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { runShell } from '../../../../ops/cli/shell-command.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';
import { findProcesses } from '../../../support/processes.ts';
import { eventually } from '../../../support/waiting.ts';

const options = { input: '{"rows":[]}\n', timeoutMs: 60_000, maxOutputBytes: 65_536, clock: systemClock };
const run = (command: string, more: Partial<typeof options> = {}) => runShell(command, { ...options, ...more });

let marks = 0;
/** A text that only the processes of one command have in their command line. */
const makeMark = (): string => `shell-command-test-${process.pid}-${++marks}`;

describe('a command', () => {
  test('gets the input and gives its output', async () => {
    expect(await run('cat; echo proceed')).toEqual({ output: '{"rows":[]}\nproceed\n', failure: undefined });
  });

  test.each([
    ['a small', options.input],
    ['a large', 'x'.repeat(8_000_000)],
  ])('need not read %s input', async (_what, input) => {
    expect(await run('echo proceed', { input })).toEqual({ output: 'proceed\n', failure: undefined });
    expect(await run('exec <&-; echo proceed', { input })).toEqual({ output: 'proceed\n', failure: undefined });
  });

  test.each([
    ['exit 7', 'it ended with exit code 7'],
    ['echo proceed; exit 1', 'it ended with exit code 1'],
    ['no-such-program-1 2>/dev/null', 'it ended with exit code 127'],
    ['kill -KILL $$', 'it ended with exit code 137'],
    ['kill -KILL 0', 'it was ended by SIGKILL'],
    ['yes proceed', 'it wrote more than 65536 bytes'],
    ['cat /dev/zero', 'it wrote more than 65536 bytes'],
  ])('%s fails', async (command, failure) => {
    expect(await run(command)).toMatchObject({ failure });
  });

  test('that closes its output is waited for', async () => {
    expect(await run('echo proceed; exec >&-; exit 3')).toMatchObject({
      output: 'proceed\n',
      failure: 'it ended with exit code 3',
    });
  });
});

describe('no process is left', () => {
  test.each([
    ['after the time limit', (mark: string) => `: ${mark}; tail -f /dev/null`],
    [
      'of a command that takes no SIGTERM',
      (mark: string) => `trap "" TERM; : ${mark}; tail -f /dev/null & wait; tail -f /dev/null`,
    ],
  ])('%s', async (_what, command) => {
    const mark = makeMark();
    const clock = createManualClock();
    const ended = run(command(mark), { clock, timeoutMs: 1000 });
    await eventually(() => expect(findProcesses(mark)).not.toEqual([]));
    let isSettled = false;
    void ended.finally(() => {
      isSettled = true;
    });
    await eventually(() => {
      clock.advance(200);
      expect(isSettled).toBe(true);
    });
    expect(await ended).toMatchObject({ failure: 'it gave no result within 1 s' });
    await eventually(() => expect(findProcesses(mark)).toEqual([]));
  });

  test('in the background of a command that has ended', async () => {
    const mark = makeMark();
    const result = await run(`MARK=${mark} tail -f /dev/null & echo proceed`);
    expect(result).toEqual({ output: 'proceed\n', failure: undefined });
    expect(findProcesses(mark)).toEqual([]);
  });

  test('after the caller was killed', async () => {
    const mark = makeMark();
    const module = new URL('../../../../ops/cli/shell-command.ts', import.meta.url).href;
    const clock = new URL('../../../../shared/runtime/clock.ts', import.meta.url).href;
    const source = `
      import { runShell } from ${JSON.stringify(module)};
      import { systemClock as clock } from ${JSON.stringify(clock)};
      await runShell('MARK=${mark} tail -f /dev/null', { input: '', timeoutMs: 600000, maxOutputBytes: 10, clock });`;
    const caller = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: 'ignore' });
    const running = () => findProcesses(mark).filter(({ pid }) => pid !== caller.pid);
    await eventually(() => expect(running().some(({ command }) => command.startsWith('tail'))).toBe(true));
    caller.kill('SIGKILL');
    await eventually(() => expect(running()).toEqual([]));
  });
});
