// Wrong inputs of `earshot ingest` as data: each is one message with the promised exit code, and nothing is live or
// loaded afterwards. The second lines of files with one bad line are as good as the first.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../../dev/bigtable/embedded-bigtable.ts';
import { BIGTABLE_ROW_SCHEMA } from '../../../ops/files/schemas.ts';
import { TUESDAY } from '../../contracts/origin/instance.ts';
import { avroOf, jsonOf, makeLists, parquetOf, rowsOf, textOf } from '../../unit/ops/ingest/formats/support.ts';
import { createCommandInstances, messageOf } from '../support/command-instances.ts';

const { makeLiveInstance, startServer } = createCommandInstances({ inProcess: true });
let server: EmbeddedBigtable;
let instance: Awaited<ReturnType<typeof makeLiveInstance>>;
beforeAll(async () => {
  server = await startServer();
  instance = await makeLiveInstance(server);
});

const LISTS = makeLists(300);
const GOOD = jsonOf(LISTS);
const gzipped = gzipSync(GOOD);
const zstd = zstdCompressSync(GOOD);
const avro = avroOf(LISTS);
const parquet = parquetOf(LISTS);
const deep = (depth: number): string => `{"user":"u:1","items":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const one = (item: string): string => `{"user":"bad","items":[${item}]}`;
const cut = (content: Buffer, bytes: number): Buffer => content.subarray(0, content.length - bytes);
const nested = (fields: object[]): object => ({ type: 'record', name: 'Other', fields });
const cell = (change: object) => (row: object) => {
  const { cells } = row as { cells: object[] };
  return { ...row, cells: [{ ...cells[0], ...change }] };
};

/** Inputs that end the load at once: the message. */
const BROKEN: readonly (readonly [what: string, name: string, content: Buffer, message: RegExp])[] = [
  ['an empty file', 'empty.ndjson', Buffer.alloc(0), /expected at least one line, got an empty file/],
  ['blank lines alone', 'blank.ndjson', Buffer.from('\n \n\r\n'), /expected at least one line/],
  [
    'a gzip that is cut',
    'cut.gz',
    cut(gzipped, 20),
    /expected a whole gzip file, got unexpected end of file after byte/,
  ],
  ['a gzip of its header alone', 'head.gz', gzipped.subarray(0, 10), /expected a whole gzip file, got unexpected end/],
  [
    'text behind a gzip member',
    'tail.gz',
    Buffer.concat([gzipped, Buffer.from('{"user"')]),
    /expected a whole gzip file, got incorrect header check in bytes/,
  ],
  [
    'a gzip with broken bytes',
    'bits.gz',
    Buffer.concat([gzipped.subarray(0, 40), Buffer.alloc(20, 255), gzipped.subarray(60)]),
    /expected a whole gzip file, got/,
  ],
  ['a second gzip member that is cut', 'two.gz', Buffer.concat([gzipped, cut(gzipped, 9)]), /unexpected end of file/],
  ['a zstd that is cut', 'cut.zst', cut(zstd, 9), /expected a whole zstd file, got unexpected end of file after byte/],
  [
    'a zstd with other bytes behind it',
    'tail.zst',
    Buffer.concat([zstd, Buffer.from('{}{}')]),
    /or more zstd, got other bytes \(7b7d7b7d\)/,
  ],
  ['a second zstd frame that is cut', 'two.zst', Buffer.concat([zstd, cut(zstd, 9)]), /expected a whole zstd file/],
  [
    'a zstd of broken bytes',
    'bits.zst',
    Buffer.concat([zstd.subarray(0, 12), Buffer.alloc(40, 255)]),
    /expected a whole zstd file, got/,
  ],
  ['gzip in gzip', 'twice.gz', gzipSync(gzipped), /expected Avro, Parquet or lines of JSON, got gzip inside/],
  ['Parquet in gzip', 'parquet.gz', gzipSync(parquet), /got Parquet that is packed, or from a pipe/],
  ['bzip2', 'lists.bz2', Buffer.from('425a6839314159265359', 'hex'), /got bzip2/],
  ['xz', 'lists.xz', Buffer.from('fd377a585a000004', 'hex'), /got xz/],
  ['a ZIP archive with the name of lines', 'lists.ndjson', Buffer.from('504b030414000000', 'hex'), /got a ZIP archive/],
  ['UTF-16', 'utf16.ndjson', Buffer.from('\ufeff{"user":"u"}', 'utf16le'), /got UTF-16 text/],
  [
    'an unknown format',
    'binary',
    Buffer.from('0001020304050607', 'hex'),
    /got an unknown binary format \(it begins with 0001020304050607\)/,
  ],
  ['an Avro that is cut in a block', 'cut.avro', cut(avro, 100), /expected \d+ more bytes after byte \d+, got the end/],
  ['an Avro that is cut in its header', 'head.avro', avro.subarray(0, 60), /expected \d+ more bytes after byte/],
  [
    'an Avro with another sync marker',
    'sync.avro',
    Buffer.concat([cut(avro, 16), Buffer.alloc(16, 9)]),
    /got a block without its sync marker at byte/,
  ],
  [
    'an Avro of another schema',
    'other.avro',
    avroOf([{ name: 'x' }], nested([{ name: 'name', type: 'string' }])),
    /expected a schema with the fields user and items, got name/,
  ],
  [
    'an Avro of no records',
    'text.avro',
    avroOf(['x' as never], 'string' as never),
    /expected an Avro schema of records, got string/,
  ],
  [
    'an Avro of another codec',
    'codec.avro',
    avroOf(LISTS, undefined, 'bzip2'),
    /expected the Avro codec null, deflate, zstandard, snappy, got bzip2/,
  ],
  [
    'an Avro whose block is larger than the bound once it is unpacked',
    'bomb.avro',
    avroOf([{ user: 'x'.repeat(65 * 1024 * 1024), items: [] }], undefined, 'deflate'),
    /got a block that cannot be unpacked \(Cannot create a Buffer larger than 67108864 bytes\)/,
  ],
  ['a Parquet that is cut', 'cut.parquet', cut(parquet, 50), /expected a whole Parquet file, got no index at its end/],
  ['a Parquet of its first bytes', 'head.parquet', parquet.subarray(0, 12), /expected a whole Parquet file/],
  [
    'a Parquet with broken pages',
    'bits.parquet',
    Buffer.concat([parquet.subarray(0, 4), Buffer.alloc(400, 255), parquet.subarray(404)]),
    /expected a whole Parquet file, got .* in row group 1/,
  ],
  [
    'an encrypted Parquet',
    'secret.parquet',
    Buffer.concat([cut(parquet, 4), Buffer.from('PARE')]),
    /got an encrypted one/,
  ],
];

/** Lines that are rejects: the reason. */
const REJECTED: readonly (readonly [what: string, line: string | Buffer, reason: RegExp])[] = [
  ['no JSON', '{"user":"u:1"', /expected one JSON object/],
  ['a missing user', '{"items":[{"id":"a","score":1}]}', /user: expected/],
  ['missing items', '{"user":"bad"}', /items: expected/],
  ['no items', '{"user":"bad","items":[]}', /expected 1 to 100 items/],
  [
    '101 items',
    one(Array.from({ length: 101 }, (_, i) => `{"id":"i${i}","score":1}`).join(',')),
    /expected 1 to 100 items/,
  ],
  ['a missing score', one('{"id":"a"}'), /items\.0\.score: expected number/],
  ['NaN', one('{"id":"a","score":NaN}'), /expected one JSON object/],
  ['Infinity', one('{"id":"a","score":-Infinity}'), /expected one JSON object/],
  ['1e999', one('{"id":"a","score":1e999}'), /expected a number that a double holds, got 1e999/],
  ['a score of text', one('{"id":"a","score":"1"}'), /items\.0\.score: expected number/],
  ['another member', '{"user":"bad","items":[{"id":"a","score":1}],"x":1}', /[Uu]nrecognized key/],
  [
    'a name twice',
    '{"user":"bad","user":"u:2","items":[{"id":"a","score":1}]}',
    /expected each name once in an object, got "user" twice/,
  ],
  ['__proto__', '{"user":"bad","items":[{"id":"a","score":1}],"__proto__":{"x":1}}', /[Uu]nrecognized key|__proto__/],
  ['a lone surrogate', '{"user":"\\ud800","items":[{"id":"a","score":1}]}', /lone surrogate/],
  ['nesting beyond the bound', deep(65), /expected at most 32 nested values|expected/],
  ['a user of another form', '{"user":"a/b","items":[{"id":"a","score":1}]}', /expected a user id/],
  ['the popular user of another name', '{"user":"~other","items":[{"id":"a","score":1}]}', /expected a user id/],
  ['an item of another form', one('{"id":"a b","score":1}'), /expected an item id/],
  [
    'bytes that are not UTF-8',
    Buffer.concat([Buffer.from('{"user":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
    /expected UTF-8, got other bytes/,
  ],
  ['a line of 20 MB', one(`{"id":"${'x'.repeat(20_000_000)}","score":1}`), /expected a line of at most 1048576 bytes/],
  ['a user of before', textOf(LISTS[0] as never), /expected each id once in a load, got u:0 again after line 1/],
];

const runs = (...args: string[]) =>
  instance.earshot('ingest', ...args, '--surface', 'home', '--variant', 'control', '--generation', String(TUESDAY));

async function expectNothing(before: unknown): Promise<void> {
  expect(await instance.live()).toEqual(before);
  expect((await instance.receipt(TUESDAY))?.state).not.toBe('loaded');
}

test.each(BROKEN)('%s', async (_what, name, content, message) => {
  const before = await instance.live();
  const path = join(instance.directory, name);
  writeFileSync(path, content);
  const result = messageOf(await runs(path));
  expect(result).toEqual({ code: 1, message: expect.stringMatching(message) });
  expect(result.message).toContain(name);
  await expectNothing(before);
});

test.each(REJECTED)('a line with %s', async (_what, line, reason) => {
  const before = await instance.live();
  const path = join(instance.directory, 'lines.ndjson');
  writeFileSync(path, Buffer.concat([GOOD, Buffer.from(line), Buffer.from('\n')]));
  const { code, stderr } = await runs(path);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/expected at most 0\.1 % of the lines to be invalid, got 1 line of 301/),
  ]);
  expect(stderr).toMatch(new RegExp(`lines\\.ndjson:301: .*${reason.source}`));
  await expectNothing(before);
});

test.each<[string, (row: object) => object, RegExp]>([
  [
    'another column',
    cell({ qualifier: Buffer.from('home/knn') }),
    /expected the column l:home\/control, got l:home\/knn/,
  ],
  ['another family', cell({ family: 'm' }), /expected the column l:home\/control, got m:home\/control/],
  ['milliseconds', cell({ timestamp: TUESDAY }), /expected the timestamp \d+, the generation in microseconds, got/],
  [
    'two cells',
    (row) => ({ ...row, cells: [...(row as { cells: object[] }).cells, ...(row as { cells: object[] }).cells] }),
    /expected one cell in a row, got 2/,
  ],
  ['another key', (row) => ({ ...row, key: Buffer.from('0000#u:1') }), /expected the row key|expected each id once/],
  [
    'a key without its hash',
    (row) => ({ ...row, key: Buffer.from('u:1') }),
    /expected the row key|expected each id once/,
  ],
  ['another value', cell({ value: Buffer.from('[1,2]') }), /expected/],
])('rows of Bigtable with %s', async (_what, change, reason) => {
  const before = await instance.live();
  const path = join(instance.directory, 'rows.avro');
  const timed = (row: object) => change(cell({ timestamp: TUESDAY * 1_000 })(row));
  writeFileSync(path, rowsOf(LISTS, timed));
  const { code, stderr } = await runs(path);
  expect(code).toBe(1);
  expect(stderr).toMatch(reason);
  await expectNothing(before);
});

test('rows of Bigtable as they should be are loaded', async () => {
  expect(BIGTABLE_ROW_SCHEMA.name).toBe('BigtableRow');
  const other = await makeLiveInstance(server);
  const path = join(other.directory, 'rows.avro');
  writeFileSync(path, rowsOf(LISTS, cell({ timestamp: TUESDAY * 1_000 })));
  const args = ['--surface', 'home', '--variant', 'control', '--generation', String(TUESDAY)];
  expect(await other.earshot('ingest', path, ...args)).toMatchObject({ code: 0 });
});

test('places that cannot be read or written are named, and nothing is loaded', async () => {
  const before = await instance.live();
  const good = join(instance.directory, 'good.ndjson');
  writeFileSync(good, GOOD);
  writeFileSync(join(instance.directory, 'bad.ndjson'), Buffer.concat([GOOD, Buffer.from('x\n')]));
  mkdirSync(join(instance.directory, 'empty'));
  const cases: [string[], number, RegExp][] = [
    [[join(instance.directory, 'nothing')], 1, /expected .*nothing to be a readable file: ENOENT/],
    [[join(instance.directory, 'empty')], 1, /expected .*empty to be a directory of files: it has no files/],
    [[join(instance.directory, 'none-*')], 1, /expected files that match .*none-\*, got none/],
    [[good, good], 2, /expected each input once, got .*good\.ndjson twice/],
    [['gs://bucket'], 1, /expected gs:\/\/BUCKET\/OBJECT, got "gs:\/\/bucket"/],
    [
      [join(instance.directory, 'bad.ndjson'), '--rejects', '/dev/full'],
      1,
      /expected the file for rejects to be new and writable: .*ENOSPC/,
    ],
    [[good, '--max-reject-share', '101'], 2, /expected a percentage from 0 to 100, got "101"/],
    [[good, '--max-rows-per-second', '0'], 2, /expected a whole number of rows from 1, got "0"/],
  ];
  for (const [args, code, message] of cases)
    expect(messageOf(await runs(...args)), args.join(' ')).toEqual({ code, message: expect.stringMatching(message) });
  await expectNothing(before);
});
