// `earshot export-dataflow`: its files, loaded again, give the cells of the direct load. It needs no Bigtable itself.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import avsc from 'avsc';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../../dev/bigtable/embedded-bigtable.ts';
import { APP_PROFILES } from '../../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { readRows } from '../../../origin/bigtable/read-rows.ts';
import { formatGeneration } from '../../../shared/domain/generation.ts';
import { TABLES } from '../../../shared/domain/keys.ts';
import { TIMEOUT_MS, TUESDAY } from '../../contracts/origin/instance.ts';
import {
  ACCEPT_ALL,
  createCommandInstances,
  home,
  itemsOf,
  line,
  lines,
  messageOf,
  readLists,
  releaseOf,
} from '../support/command-instances.ts';

const { startServer, makeInstance } = createCommandInstances({ inProcess: true });
let server: EmbeddedBigtable;

beforeAll(async () => {
  server = await startServer();
});

const tuesday = ['--generation', String(TUESDAY)];
const ANY_SHARE = ['--max-reject-share', '100'];

async function makeExport() {
  const instance = await makeInstance(server);
  const out = join(instance.directory, 'rows');
  const exportFiles = (...args: string[]) =>
    instance.earshot('export-dataflow', ...home(), ...tuesday, '--out', out, ...args);
  const files = (): string[] => (existsSync(out) ? readdirSync(out).sort() : []);
  return { ...instance, out, files, exportFiles };
}

/** Every cell of the table: key, family, qualifier, timestamp and bytes. */
async function cellsOf(bigtable: BigtableConnection): Promise<unknown[]> {
  const filter = { passAllFilter: true };
  const call = {
    table: TABLES.recommendations,
    appProfile: APP_PROFILES.ingest,
    rows: {},
    filter,
    timeoutMs: TIMEOUT_MS,
  };
  return readRows(bigtable, call);
}

describe('exported files', () => {
  test('are loaded as the same cells as the inputs themselves, from every format', async () => {
    const { bigtable, earshot, directory, out, files, exportFiles, file } = await makeExport();
    const sample = join(directory, 'sample');
    for (const format of ['ndjson', 'avro', 'parquet'])
      await earshot(
        'sample',
        '--users',
        '400',
        '--out',
        `${sample}-${format}`,
        '--format',
        format,
        '--variant',
        format,
      );
    const popular = file('popular.ndjson', `${line('~popular')}\n${line('a|b@c:d+e.f-~g')}\n`);
    const hand = file('hand.ndjson.gz', gzipSync('{ "items":[{"score":1.50,"id":"a"}], "user":"u:hand" }\n'));
    for (const format of ['ndjson', 'avro', 'parquet']) {
      const inputs = [`${sample}-${format}`, popular, hand];
      const direct = await makeInstance(server);
      expect(await direct.earshot('ingest', ...inputs, ...home(), ...tuesday)).toMatchObject({ code: 0 });
      const rows = `${out}-${format}`;
      expect(await exportFiles(...inputs, '--out', rows, '--rows-per-file', '150')).toMatchObject({ code: 0 });
      expect(readdirSync(rows).sort()).toEqual([0, 1, 2].map((i) => `part-0000${i}.avro`));
      const again = await makeInstance(server);
      expect(await again.earshot('ingest', rows, ...home(), ...tuesday)).toMatchObject({ code: 0 });
      const cells = await cellsOf(direct.bigtable);
      expect(cells).toHaveLength(403);
      expect(await cellsOf(again.bigtable)).toEqual(cells);
    }
    expect(await cellsOf(bigtable)).toEqual([]);
    expect(files()).toEqual([]);
  });

  test('are the same for the same inputs', async () => {
    const { directory, file, exportFiles } = await makeExport();
    const input = file('lists.ndjson', lines(1, 20));
    const [one, two] = [join(directory, 'one'), join(directory, 'two')];
    for (const out of [one, two]) expect(await exportFiles(input, '--out', out)).toMatchObject({ code: 0 });
    expect(readFileSync(join(one, 'part-00000.avro'))).toEqual(readFileSync(join(two, 'part-00000.avro')));
  });

  test('of another generation or column are refused by a load', async () => {
    const { earshot, out, file, exportFiles } = await makeExport();
    expect(await exportFiles(file('lists.ndjson', lines(1, 2)))).toMatchObject({ code: 0 });
    const wrong = [
      [...home('knn'), ...tuesday],
      [...home(), '--generation', String(TUESDAY + 1)],
    ];
    for (const args of wrong)
      expect(messageOf(await earshot('ingest', out, ...args))).toEqual({
        code: 1,
        message: expect.stringContaining('expected at least one valid list'),
      });
  });
});

test('the output names the job, and the release of its result', async () => {
  const { file, out, exportFiles } = await makeExport();
  const { code, stdout } = await exportFiles(
    file('lists.ndjson', lines(1, 3)),
    '--instance',
    'recs',
    '--region',
    'us-east1',
  );
  expect(code).toBe(0);
  expect(stdout).toContain(`home/control ${formatGeneration(TUESDAY)}: 3 lists in 1 file, ${out}/part-*.avro, in `);
  expect(stdout).toContain(`gcloud storage cp ${out}/part-*.avro gs://BUCKET/PREFIX/\n`);
  expect(stdout).toMatch(
    /gcloud dataflow jobs run earshot-home-control-[0-9tz-]+ --project e2e --region us-east1 --gcs-location gs:\/\/dataflow-templates-us-east1\/latest\/GCS_Avro_to_Cloud_Bigtable --parameters 'bigtableProjectId=e2e,bigtableInstanceId=recs,bigtableTableId=recommendations,inputFilePattern=gs:\/\/BUCKET\/PREFIX\/part-\*\.avro'\n/,
  );
  expect(stdout).toContain(
    `npx earshot release adopt home/control --generation ${formatGeneration(TUESDAY)} --expect-lists 3\n`,
  );
});

describe('an invalid line', () => {
  test('is not exported and kept with its reason, and so is a second line of a user in another file', async () => {
    const { directory, file, exportFiles } = await makeExport();
    const rejects = join(directory, 'rejects.ndjson');
    const inputs = [file('a.ndjson', `${lines(1, 2)}x\n`), file('b.ndjson', `${line('u:3')}\n${line('u:2')}\n`)];
    const result = await exportFiles(...inputs, '--rejects', rejects, ...ANY_SHARE);
    expect(result).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--expect-lists 3'),
      stderr: expect.stringMatching(/2 lines not exported, kept with the reasons in .*rejects\.ndjson/),
    });
    const kept = readFileSync(rejects, 'utf8').trimEnd().split('\n');
    expect(kept.map((each) => JSON.parse(each))).toEqual([
      { file: 'a.ndjson', line: 3, reason: expect.stringContaining('expected one JSON object'), text: 'x' },
      {
        ...{ file: 'b.ndjson', line: 2, text: line('u:2') },
        reason: 'expected each id once in a load, got u:2 again after line 2 of a.ndjson',
      },
    ]);
  });

  test('is one too many above the share: nothing stays', async () => {
    const { files, file, exportFiles } = await makeExport();
    expect(messageOf(await exportFiles(file('a.ndjson', `${lines(1, 30)}x\n`), '--rows-per-file', '10'))).toEqual({
      code: 1,
      message: expect.stringMatching(
        /expected at most 0\.1 % of the lines to be invalid, got 1 line of 31 \(3\.23 %\)/,
      ),
    });
    expect(files()).toEqual([]);
  });
});

const whole = gzipSync(lines(1, 5_000));

describe('no file stays', () => {
  test.each<[what: string, name: string, content: string | Buffer, message: RegExp]>([
    ['no valid line', 'bad.ndjson', 'x\ny\n', /expected at least one valid list/],
    ['an empty file', 'empty.ndjson', '', /empty\.ndjson: expected at least one line, got an empty file/],
    ['a gzip that is cut', 'cut.gz', whole.subarray(0, whole.length - 20), /cut\.gz: expected a whole gzip file/],
    ['an unknown format', 'lists.xz', Buffer.from('fd377a585a00', 'hex'), /lists\.xz: expected Avro, Parquet or lines/],
  ])('of an input with %s', async (_what, name, content, message) => {
    const { files, file, exportFiles } = await makeExport();
    const inputs = [...(name === 'bad.ndjson' ? [] : [file('good.ndjson', lines(9_000, 30))]), file(name, content)];
    expect(messageOf(await exportFiles(...inputs, '--rows-per-file', '10', ...ANY_SHARE))).toEqual({
      code: 1,
      message: expect.stringMatching(message),
    });
    expect(files()).toEqual([]);
  });

  test('in a directory that cannot be made, or of an input that is missing', async () => {
    const { file, exportFiles } = await makeExport();
    const input = file('lists.ndjson', lines(1, 1));
    expect(messageOf(await exportFiles(input, '--out', join(input, 'rows')))).toEqual({
      code: 1,
      message: expect.stringMatching(/expected --out to be a directory, got .*lists\.ndjson\/rows: ENOTDIR/),
    });
    expect(messageOf(await exportFiles(`${input}.missing`))).toEqual({
      code: 1,
      message: expect.stringMatching(/expected .*missing to be a readable file/),
    });
  });

  test('beside the files of an earlier export, which are left', async () => {
    const { files, file, out, exportFiles } = await makeExport();
    const input = file('lists.ndjson', lines(1, 1));
    expect(await exportFiles(input)).toMatchObject({ code: 0 });
    const before = readFileSync(join(out, 'part-00000.avro'));
    writeFileSync(input, lines(1, 2));
    expect(messageOf(await exportFiles(input))).toEqual({
      code: 2,
      message: expect.stringContaining('expected --out without files of an earlier export'),
    });
    expect(files()).toEqual(['part-00000.avro']);
    expect(readFileSync(join(out, 'part-00000.avro'))).toEqual(before);
  });
});

test('with --bigquery the output is the SQL, and nothing is written', async () => {
  const { earshot, out, directory } = await makeExport();
  const args = ['--bigquery', 'recs-prod.lists.home', ...home(), ...tuesday];
  const { code, stdout, stderr } = await earshot('export-dataflow', ...args, '--instance', 'recs');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('FROM `recs-prod.lists.home`');
  expect(stdout).toContain('/projects/e2e/instances/recs/appProfiles/ingest/tables/recommendations');
  expect(stdout).toContain('cannot write these cells');
  expect(existsSync(out)).toBe(false);
  expect(readdirSync(directory)).toEqual([]);
});

test('rows that another engine writes from the files become a release by the printed line, and are served', async () => {
  const { address, bigtable, earshot, file, out, exportFiles } = await makeExport();
  const { stdout } = await exportFiles(file('lists.ndjson', lines(1, 40)), '--rows-per-file', '15');
  for (const name of readdirSync(out)) await writeAsDataflow(bigtable, join(out, name));
  const [, adopt = ''] = /npx earshot (release adopt .*)\n$/.exec(stdout) ?? [];
  const adopted = await earshot(...adopt.split(' '));
  expect(adopted).toMatchObject({ code: 0, stdout: expect.stringContaining('is adopted') });
  expect(await earshot('publish', releaseOf(TUESDAY), ...ACCEPT_ALL)).toMatchObject({ code: 0 });
  expect(await readLists(address, TUESDAY, ['u:1', 'u:40', 'u:41'])).toEqual([
    ...['u:1', 'u:40'].map((user) => itemsOf(user).replaceAll('},{', '},\n{')),
    'absent',
  ]);
});

/** Each record as the mutations that AvroToBigtable.java makes of it, through the default profile. */
async function writeAsDataflow(bigtable: BigtableConnection, path: string): Promise<void> {
  const entries: object[] = [];
  for await (const { key, cells } of avsc.createFileDecoder(path)) {
    const mutations = cells.map(({ family, qualifier, timestamp, value }: Cell) => ({
      setCell: { familyName: family, columnQualifier: qualifier, timestampMicros: timestamp, value },
    }));
    entries.push({ rowKey: key, mutations });
  }
  const stream = (await bigtable.data()).mutateRows({
    ...{ tableName: bigtable.tableName(TABLES.recommendations), appProfileId: 'default', entries },
  });
  for await (const { entries: results } of stream as AsyncIterable<{ entries: { status: { code: number } }[] }>)
    expect(results.map(({ status }) => status.code)).toEqual(results.map(() => 0));
}

interface Cell {
  readonly family: string;
  readonly qualifier: Buffer;
  readonly timestamp: number;
  readonly value: Buffer;
}
