// Low-priority bulk writes yield to high-priority calls.
import { expect, test } from 'vitest';
import { createLowPriority } from '../../../dev/bigtable/turns.ts';
import { collect, gaxOptions, INSTANCE, noRetry } from './clients.ts';
import { type MutateRowsAnswer, setCell, startEmbedded, TABLE_NAME } from './embedded.ts';

const COUNT = 20_000;

async function setUp() {
  const embedded = await startEmbedded();
  const { clients, write } = embedded;
  const bulk = { routing: 'asia', allowTransactionalWrites: false, gaxOptions };
  await clients.instanceAdmin.createAppProfile(
    {
      parent: clients.bigtable.instance(INSTANCE).name,
      appProfileId: 'bulk',
      appProfile: {
        singleClusterRouting: { clusterId: bulk.routing },
        standardIsolation: { priority: 'PRIORITY_LOW' },
      },
    },
    gaxOptions,
  );
  await write('asia', 'known', 'v');
  const writeMany = async (prefix: string): Promise<number> => {
    const entries = Array.from({ length: COUNT }, (_, i) => ({
      rowKey: Buffer.from(`${prefix}${i}`),
      mutations: [setCell('x'.repeat(200))],
    }));
    const answers = await collect<MutateRowsAnswer>(
      clients.data.mutateRows({ tableName: TABLE_NAME, appProfileId: 'bulk', entries }, noRetry),
    );
    return answers.flatMap((answer) => answer.entries).filter(({ status }) => status.code === 0).length;
  };
  return { ...embedded, writeMany };
}

test('reads are answered while a bulk write is worked on, and it is whole at its end', async () => {
  const { writeMany, values, bigtable } = await setUp();
  let isOver = false;
  const writing = writeMany('bulk:').finally(() => {
    isOver = true;
  });
  let during = 0;
  while (!isOver) {
    expect(await values('asia', 'known')).toEqual(['v']);
    const { rowsWritten } = bigtable.counters('asia');
    if (rowsWritten > 1 && rowsWritten < COUNT) during++;
  }
  expect(await writing).toBe(COUNT);
  expect(during).toBeGreaterThan(20);
});

test('work of low priority is done one at a time, in the order in which it came, whatever becomes of it', async () => {
  const low = createLowPriority();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const works = [
    low.run(async () => {
      order.push('first begins');
      await gate.promise;
      order.push('first ends');
      throw new Error('boom');
    }),
    low.run(async () => order.push('second')),
    low.run(async () => order.push('third')),
  ];
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual(['first begins']);
  gate.resolve();
  expect((await Promise.allSettled(works)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(order).toEqual(['first begins', 'first ends', 'second', 'third']);
});
