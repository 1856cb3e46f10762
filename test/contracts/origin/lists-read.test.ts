import { describe, expect, test } from 'vitest';
import { LINGER_MS } from '../../../origin/http/lists-read-answer.ts';
import { MAX_BODY_BYTES } from '../../../origin/http/lists-read-body.ts';
import { FAMILIES, JSON_QUALIFIER, makeItemRowKey, TABLES } from '../../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import type { ListResult } from '../../../shared/wire/read-response.ts';
import { eventually } from '../../support/waiting.ts';
import { MONDAY, manifestOf, startInstance, writeCell, writeList, writeManifestCell } from './instance.ts';
import { framesOf, key, openSocket, requestHead, serveRoute } from './lists-route.ts';
import { mintOriginToken, runOrigin } from './running-origin.ts';

const overloaded: ListResult = { kind: 'error', code: 'overloaded' };

describe('a read without room', () => {
  test('for any of its keys is 503, and says when to come again', async () => {
    const { errors, observed, read } = await serveRoute([overloaded, overloaded]);
    const response = await read(2);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7']);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 503, code: 'overloaded' });
    // Sheds are counted and not logged: log lines would add load.
    expect([observed, errors]).toEqual([['shed'], []]);
  });

  test.each<[string, ListResult]>([
    ['an answer', { kind: 'absent' }],
    ['an error of another kind', { kind: 'error', code: 'unavailable' }],
  ])('for some of its keys is one frame per key when another has %s', async (_what, other) => {
    const { observed, read } = await serveRoute([overloaded, other, overloaded]);
    const response = await read(3);
    expect([response.status, response.headers.get('retry-after')]).toEqual([200, null]);
    expect(await framesOf(response, 3)).toEqual([overloaded, other, overloaded]);
    expect(observed).toEqual(['shed']);
  });
});

test.each([
  [1010, 0],
  [1011, 1],
])('work that took %i ms of the 1000 that it had counts as late %i times', async (tookMs, late) => {
  const { counters, read } = await serveRoute([{ kind: 'absent' }], undefined, tookMs);
  expect((await read(1)).status).toBe(200);
  expect(counters.get('origin_late_total')).toBe(late);
});

describe('a process without CPU left', () => {
  test('refuses a read with 503 before it looks at it, says when to come again, and keeps the connection', async () => {
    const route = await serveRoute([{ kind: 'absent' }], () => false);
    const { socket, received } = await openSocket(route.port);
    const request = `${requestHead('Content-Length: 10')}not JSON..`;
    socket.write(request);
    await eventually(() => expect(received().match(/\r\n\r\n\{.*\}$/)).not.toBeNull());
    expect(received()).toMatch(/^HTTP\/1\.1 503 .*\r\n/);
    expect(received()).toContain('\r\nRetry-After: 7\r\n');
    expect(received().toLowerCase()).not.toContain('connection: close');
    socket.write(request);
    await eventually(() => expect(received().match(/HTTP\/1\.1 503 /g)).toHaveLength(2));
    expect(route.responses).toHaveLength(2);
    expect([route.observed, route.errors, route.counters.get('origin_reads_total')]).toEqual([['shed', 'shed'], [], 0]);
  });

  test.each([
    ['of unknown length', 'Transfer-Encoding: chunked'],
    ['that is too long', `Content-Length: ${MAX_BODY_BYTES + 1}`],
  ])('does not wait for a body %s', async (_what, header) => {
    const route = await serveRoute([{ kind: 'absent' }], () => false);
    const { socket, received, closed } = await openSocket(route.port);
    socket.write(requestHead(header));
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 503 .*overloaded/s));
    route.clock.advance(LINGER_MS);
    await closed;
  });
});

describe('an answer', () => {
  test.each([
    ['short', 100],
    ['long', 20_000],
  ])('that is %s has every byte of its lists, whatever they are', async (_what, length) => {
    const bytes = (from: number) => Uint8Array.from({ length }, (_, i) => (from + 7 * i) % 256);
    // As views of a larger buffer, and as buffers of their own: memory has the first kind.
    const lists = [
      Buffer.from(bytes(0)),
      Buffer.from(bytes(7)).subarray(1),
      bytes(10),
      new Uint8Array(bytes(3).buffer, 5),
    ];
    const listOf = (each: Uint8Array): ListResult => ({ kind: 'list', bytes: each, generation: MONDAY, digest: 'd' });
    const { read } = await serveRoute(lists.map(listOf));
    expect(await framesOf(await read(lists.length), lists.length)).toEqual(
      lists.map((list) => listOf(Uint8Array.from(list))),
    );
  });

  test('from memory tells its age, and one from the table has none', async () => {
    const instance = await startInstance();
    await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(1)), MONDAY);
    await writeList(instance.bigtable, key('u:1'), encodeItem('a', '1.0'));
    const { clock, origin, readLists } = await runOrigin(instance);
    const read = async () => framesOf(await readLists([key('u:1'), key('u:2')]), 2);
    for (const frame of await read()) expect(frame).not.toHaveProperty('ageMs');
    clock.advance(1500);
    expect(await read()).toMatchObject([
      { kind: 'list', ageMs: 1500 },
      { kind: 'absent', ageMs: 1500 },
    ]);
    expect(origin.counters.get('origin_memory_hits_total')).toBe(2);
  });

  test('with its items expanded has what is known of each, one line an item', async () => {
    const instance = await startInstance();
    const { bigtable } = instance;
    await writeManifestCell(bigtable, JSON.stringify(manifestOf(1)), MONDAY);
    await writeList(bigtable, key('u:1'), ['a', 'b', 'c'].map((id) => encodeItem(id, '1.0')).join(ITEM_SEPARATOR));
    const writeItem = (id: string, value: string) =>
      writeCell(bigtable, {
        table: TABLES.items,
        rowKey: makeItemRowKey(id),
        family: FAMILIES.metadata,
        qualifier: JSON_QUALIFIER,
        atMs: MONDAY,
        value,
      });
    await writeItem('a', '{"title":"A"}');
    await writeItem('c', '{\n  "title": "C"\n}');
    const { clock, readLists } = await runOrigin(instance);
    const read = async () => {
      const [expanded, plain] = await framesOf(await readLists([{ ...key('u:1'), expand: 'items' }, key('u:1')]), 2);
      if (expanded?.kind !== 'list' || plain?.kind !== 'list') throw new Error('expected two lists');
      return { expanded, plain, lines: Buffer.from(expanded.bytes).toString().split('\n') };
    };
    const first = await read();
    expect(first.lines).toHaveLength(3);
    expect(JSON.parse(`[${first.lines.join('\n')}]`)).toEqual([
      { id: 'a', score: 1, metadata: { title: 'A' } },
      { id: 'b', score: 1 },
      { id: 'c', score: 1, metadata: { title: 'C' } },
    ]);
    expect(first.expanded.digest).not.toBe(first.plain.digest);
    expect(first.expanded).not.toHaveProperty('itemsAgeMs');

    // Both come from memory with their ages.
    clock.advance(700);
    const { expanded, lines } = await read();
    expect([lines, expanded.ageMs, expanded.itemsAgeMs]).toEqual([first.lines, 700, 700]);
  });

  test('is 401 without the token of the edge, however much of it is in memory', async () => {
    const instance = await startInstance();
    await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(1)), MONDAY);
    const { clock, origin, readLists } = await runOrigin(instance);
    await readLists([key('u:1')]);
    const authorization = `Bearer ${await mintOriginToken(clock, { lifetimeSeconds: 0 })}`;
    expect((await readLists([key('u:1')], { authorization })).status).toBe(401);
    expect(origin.counters.get('origin_memory_hits_total')).toBe(0);
  });
});
