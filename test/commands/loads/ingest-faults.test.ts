// Loads while the cluster has faults: they end complete, or with one message, and `--resume` completes them.
import { expect, test } from 'vitest';
import { spawnNode } from '../../../bench/rigs/local-cloud.ts';
import { MONDAY, TUESDAY } from '../../contracts/origin/instance.ts';
import { eventually } from '../../support/waiting.ts';
import { COMMAND, createCommandInstances, home, lines, messageOf } from '../support/command-instances.ts';
import { readStoredCells } from '../support/stored-cells.ts';

const { makeLiveInstance, startServer } = createCommandInstances({ inProcess: true });
/** Three batches, or as many as are in flight and one more. */
const [FEW, MORE] = [2_500, 5_000];

async function start(count = FEW) {
  const server = await startServer();
  const instance = await makeLiveInstance(server);
  const args = ['ingest', instance.file('lists.ndjson', lines(1, count)), ...home(), '--generation', String(TUESDAY)];
  const complete = async () => {
    expect(await instance.receipt(TUESDAY)).toMatchObject({ state: 'loaded', lists: count });
    const cells = await readStoredCells(instance.bigtable, 'home/control');
    expect([cells.count, cells.timestamps]).toEqual([count + 1, [MONDAY, TUESDAY]]);
  };
  return { ...instance, args, complete, server };
}

test.each<[string, object]>([
  ['one call in ten is UNAVAILABLE, the first read too', { errorShare: 0.1 }],
  ['one call in ten is refused for want of capacity', { errorShare: 0.1, errorCode: 'RESOURCE_EXHAUSTED' }],
  ['one row in twenty fails within its call', { entryErrorShare: 0.05 }],
  ['one answer in five is lost', { lostAnswerShare: 0.2 }],
  ['every call takes longer', { latencyMs: 150, jitterMs: 150 }],
])('a load is complete if %s', async (_what, fault) => {
  const { args, complete, earshot, server } = await start();
  server.setFault('asia', fault);
  const result = await earshot(...args);
  server.setFault('asia', {});
  expect(result.code, result.stderr).toBe(0);
  await complete();
});

test('a load that meets a cluster that is down says so once, and goes on with --resume', async () => {
  const { args, complete, earshot, env, receipt, server } = await start(MORE);
  server.setFault('asia', { latencyMs: 300 });
  const loading = spawnNode([COMMAND, ...args], env);
  await eventually(() => expect(server.counters('asia').calls.MutateRows ?? 0).toBeGreaterThan(3));
  server.setFault('asia', { down: true });
  const code = await loading.exited;
  const message = messageOf({ code: code ?? 0, ...loading.output }).message;
  expect(code).toBe(1);
  expect(message).toMatch(
    /^earshot: .*(UNAVAILABLE|is down).*; this load cannot go live; .*--resume to go on with it$/,
  );
  server.setFault('asia', {});
  expect((await receipt(TUESDAY))?.state).toBe('loading');
  expect(await earshot(...args, '--resume', '--take-over')).toMatchObject({ code: 0 });
  await complete();
});

test('a load is complete while replication stands still, and the other clusters get it later', async () => {
  const { address, args, complete, earshot, server } = await start();
  server.stopReplication('europe');
  expect(await earshot(...args)).toMatchObject({ code: 0 });
  await complete();
  expect(address.instance).not.toBe('');
});
