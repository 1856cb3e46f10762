// Google's command-line client gives the same output for the embedded Bigtable and for Google's emulator with the same
// data.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBigtable } from '../../dev/bigtable/server.ts';
import { connect, gaxOptions, INSTANCE, PROJECT } from '../contracts/bigtable/clients.ts';
import type { StartedBigtable } from '../contracts/bigtable/suite.ts';
import { findCbt, findEmulator, orSkip, startEmulator } from './google-emulator.ts';

const run = promisify(execFile);
const emulator = await findEmulator();
const cbt = await findCbt();
const TABLE = 'cbt-conformance';
const COMMANDS = [
  'ls',
  `ls ${TABLE}`,
  `count ${TABLE}`,
  `count ${TABLE} prefix=0a`,
  `read ${TABLE}`,
  `read ${TABLE} count=2`,
  `read ${TABLE} reversed=true`,
  `read ${TABLE} prefix=0a cells-per-column=1`,
  `read ${TABLE} start=0b end=0c`,
  `read ${TABLE} columns=l:home/control`,
  `read ${TABLE} regex=0a#.*`,
  `lookup ${TABLE} 0a#lastfm:1`,
  `lookup ${TABLE} 0a#lastfm:1 columns=l:home/control cells-per-column=1`,
  `lookup ${TABLE} nobody`,
];

orSkip("Google's cbt with its emulator", emulator && cbt ? { emulator, cbt } : undefined, (found) => {
  describe('the command-line client', () => {
    const servers: StartedBigtable[] = [];

    beforeAll(async () => {
      const bigtable = await startBigtable();
      servers.push({ endpoint: bigtable.endpoint, stop: () => bigtable.close() }, await startEmulator(found.emulator));
      for (const { endpoint } of servers) await fill(endpoint);
    });

    afterAll(async () => {
      for (const server of servers) await server.stop();
    });

    test.each(COMMANDS)('cbt %s prints the same of both', async (command) => {
      const outputs = await Promise.all(servers.map(({ endpoint }) => outputOf(endpoint, command.split(' '))));
      expect(outputs[0]).toBe(outputs[1]);
      expect(outputs[0]).not.toBe('');
    });

    async function outputOf(endpoint: string, args: string[]): Promise<string> {
      const env = { ...process.env, BIGTABLE_EMULATOR_HOST: endpoint };
      const { stdout } = await run(found.cbt, ['-project', PROJECT, '-instance', INSTANCE, ...args], { env });
      return stdout;
    }
  });
});

async function fill(endpoint: string): Promise<void> {
  const { bigtable, close } = connect(endpoint);
  const instance = bigtable.instance(INSTANCE);
  const families = [
    { name: 'l', rule: { versions: 3 } },
    { name: 'm', rule: { versions: 1, age: { seconds: 9e9 }, union: true } },
  ];
  await instance.createTable('another', { families: ['l'], gaxOptions });
  const [table] = await instance.createTable(TABLE, { families, gaxOptions });
  const cell = (value: string | Buffer, day: number) => ({
    value,
    timestamp: (1_795_402_800_000 + day * 86_400_000) * 1000,
  });
  await table.insert(
    [
      { key: '0a#lastfm:1', data: { l: { 'home/control': cell('day 1', 1), 'home/knn': cell('knn', 1) } } },
      { key: '0a#lastfm:1', data: { l: { 'home/control': cell('day 2', 2) } } },
      { key: '0a#lastfm:2', data: { l: { 'home/control': cell('{"id":"artist:1"},\n{"id":"artist:2"}', 1) } } },
      { key: '0b#lastfm:3', data: { m: { json: cell(Buffer.from([0, 1, 254, 255]), 1) } } },
      { key: 'ff#lastfm:4', data: { m: { json: cell('', 1) } } },
    ],
    gaxOptions,
  );
  await close();
}
