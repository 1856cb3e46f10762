// Files with lists, ids or secrets can be read by their user alone, whatever the umask and whatever was there before.
import { closeSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { openJournal } from '../../../../dev/bigtable/journal.ts';
import { EDGE_CONFIG, edgeService } from '../../../../dev/cloud/services.ts';
import { loadSecrets, recordLauncher, writeLocalCloud } from '../../../../dev/cloud/state.ts';
import { writeSample } from '../../../../dev/data/sample.ts';
import { createSupervisor } from '../../../../dev/processes/supervisor.ts';
import { openPrivate, writePrivate } from '../../../../ops/cli/state-file.ts';
import { createRejects } from '../../../../ops/ingest/rejects.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';

let root: string;
let umask: number;
// The tests run in worker processes of their own.
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  umask = process.umask(0);
});
afterEach(() => {
  process.umask(umask);
  rmSync(root, { recursive: true, force: true });
});

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** The modes of everything below `directory`, which has to be private, too. */
const modesBelow = (directory: string): string[][] =>
  readdirSync(directory, { recursive: true, withFileTypes: true }).map((entry) => [
    entry.name,
    entry.isDirectory() ? 'directory' : 'file',
    modeOf(join(entry.parentPath, entry.name)),
  ]);

function expectPrivate(directory: string): void {
  const modes = modesBelow(directory);
  expect(modes.length).toBeGreaterThan(0);
  expect([modeOf(directory), ...modes]).toEqual([
    '700',
    ...modes.map(([name, kind]) => [name, kind, kind === 'file' ? '600' : '700']),
  ]);
}

test('the rejects of a load, and their directory', async () => {
  const rejects = createRejects(join(root, 'state/rejects/a.ndjson'), () => undefined);
  await rejects.add({ file: 'a', line: 1, reason: 'r', text: '{"user":"ann"}' });
  await rejects.close();
  expectPrivate(join(root, 'state'));
});

test("the local cloud's secrets, description, sample, journal, variables and logs", async () => {
  const directory = join(root, '.earshot');
  recordLauncher(directory);
  const { token, origin } = loadSecrets(directory);
  writeLocalCloud(directory, {
    ...{ project: 'p', instance: 'i', clusters: {}, regions: [], edgeUrl: 'u', controlUrl: 'u' },
    ...{ tokenSecret: token, originSecret: origin },
  });
  writeSample(join(directory, 'sample'));
  openJournal(join(directory, 'bigtable.journal'), () => undefined).close();
  edgeService(1, directory, [EDGE_CONFIG], { TOKEN_SECRET: token });
  const supervisor = createSupervisor({
    logDirectory: join(directory, 'logs'),
    clock: systemClock,
    onStart: () => undefined,
  });
  onTestFinished(() => supervisor.stop());
  await supervisor.start({
    name: 'part',
    args: ['-e', 'setInterval(() => {}, 1000)'],
    env: process.env,
    isReady: async () => true,
  });
  expectPrivate(directory);
});

test('a file that exists with another mode is made private before anything is written', () => {
  const path = join(root, 'start.log');
  writeFileSync(path, 'old', { mode: 0o666 });
  const file = openPrivate(path, 'w');
  expect(modeOf(path)).toBe('600');
  writeSync(file, 'new');
  closeSync(file);
  writeFileSync(join(root, 'edge.env'), 'old', { mode: 0o644 });
  writePrivate(join(root, 'edge.env'), 'new');
  expect(modeOf(join(root, 'edge.env'))).toBe('600');
});

test('a device keeps its mode', () => {
  const before = modeOf('/dev/null');
  closeSync(openPrivate('/dev/null', 'w'));
  expect(modeOf('/dev/null')).toBe(before);
});
