// The supervisor of the local cloud's processes, with real processes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSupervisor } from '../../../dev/processes/supervisor.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { eventually } from '../../support/waiting.ts';

test('a restart that does not become ready is killed and started again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  let starts = 0;
  const supervisor = createSupervisor({
    logDirectory: directory,
    clock: systemClock,
    onStart: () => {
      starts += 1;
    },
    restartLimitMs: 100,
  });
  onTestFinished(async () => {
    await supervisor.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await supervisor.start({
    name: 'part',
    args: ['-e', 'setInterval(() => {}, 1000)'],
    env: process.env,
    isReady: async () => starts !== 2 && starts !== 3,
  });
  expect(supervisor.kill('part')).toBe(true);
  await eventually(() =>
    expect(supervisor.status()).toMatchObject([{ state: 'ready', restarts: 3, lastEnd: { reason: 'SIGKILL' } }]),
  );
});
