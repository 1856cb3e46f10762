// Channels to Bigtable: each has its own connection, is primed before its first read, and is replaced before the server
// would close it.

import { describe, expect, onTestFinished, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { ReadChannels, type ReadChannelsOptions } from '../../../../origin/bigtable/reads/channels.ts';
import { openRowStream } from '../../../../origin/bigtable/reads/row-stream.ts';
import { toUserId } from '../../../../shared/domain/ids.ts';
import { makeRowKey, TABLES } from '../../../../shared/domain/keys.ts';
import type { EarshotError } from '../../../../shared/wire/errors.ts';
import { eventually } from '../../../support/waiting.ts';
import { startCountingProxy } from '../counting-proxy.ts';
import { setFaultOfAll, startInstance, TIMEOUT_MS, writeList } from '../instance.ts';
import { listKey, readCalls } from './running-table.ts';
import { startScriptedBigtable } from './scripted-bigtable.ts';

const ROW_KEY = makeRowKey(toUserId('u:1'));

/** Channels through a proxy. The cluster's latency and the channels' lifetime have separate clocks. */
async function setUp(options: Partial<ReadChannelsOptions> = {}) {
  const [clock, serverClock] = [createManualClock(), createManualClock()];
  const instance = await startInstance({ clock: serverClock });
  await writeList(instance.bigtable, listKey('u:1'), 'mine');
  instance.server.resetCounters();
  const proxy = await startCountingProxy(instance.server.port);
  const errors: EarshotError[] = [];
  const channels = new ReadChannels({
    address: { ...instance.address, emulatorHost: proxy.endpoint },
    appProfiles: ['serve-europe', 'serve-any'],
    count: 1,
    clock,
    random: () => 0,
    onError: (error) => errors.push(error as EarshotError),
    ...options,
  });
  onTestFinished(() => channels.close());
  const request = {
    tableName: instance.bigtable.tableName(TABLES.recommendations),
    appProfileId: 'serve-europe',
    rows: { rowKeys: [Buffer.from(ROW_KEY)] },
  };
  /** The received keys, and the end of the call. */
  const read = () =>
    new Promise<{ keys: string[]; error: EarshotError | undefined }>((resolve) => {
      const keys: string[] = [];
      openRowStream(channels, request, TIMEOUT_MS, {
        onRow: ({ key }) => void keys.push(key.toString()),
        onScanned: () => {},
        onEnd: (error) => resolve({ keys, error }),
      });
    });
  const pings = (cluster: string) => instance.server.counters(cluster).calls.PingAndWarm ?? 0;
  return { ...instance, channels, clock, errors, pings, proxy, read, serverClock };
}

const ok = { keys: [ROW_KEY], error: undefined };

describe('before channels are warm', () => {
  test('each is primed once for each profile', async () => {
    const { channels, pings, server, serverClock } = await setUp({ count: 3 });
    server.setFault('asia', { latencyMs: 100 });
    const warming = channels.warm();
    await eventually(() => expect(serverClock.pending()).toBe(3));
    // `serve-any` leads to the first cluster.
    expect([pings('europe'), pings('asia'), channels.isWarm()]).toEqual([3, 3, false]);
    serverClock.advance(100);
    await warming;
    expect([pings('europe'), pings('asia'), channels.isWarm()]).toEqual([3, 3, true]);
  });

  test('a read fails as unavailable rather than wait', async () => {
    const { read } = await setUp();
    expect(await read()).toMatchObject({ keys: [], error: { code: 'unavailable', source: 'table' } });
  });

  test('a second profile that is not there is passed over, and told of', async () => {
    const { channels, errors, read } = await setUp({ appProfiles: ['serve-europe', 'serve-mars'] });
    await channels.warm();
    expect(channels.isWarm()).toBe(true);
    expect(errors).toMatchObject([{ code: 'internal', message: expect.stringContaining('serve-mars') }]);
    expect(await read()).toEqual(ok);
  });

  test('a first profile that is not there fails the warming, and leaves no connection', async () => {
    const { channels, proxy } = await setUp({ appProfiles: ['serve-mars', 'serve-any'] });
    await expect(channels.warm()).rejects.toMatchObject({
      code: 'internal',
      source: 'table',
      message: expect.stringContaining('serve-mars'),
    });
    expect(channels.isWarm()).toBe(false);
    await eventually(() => expect(proxy.open()).toBe(0));
  });

  test('a cluster that was down and is up can be warmed for, with as many channels as there should be', async () => {
    const { channels, proxy, read, server } = await setUp({ count: 2 });
    setFaultOfAll(server, { down: true });
    await expect(channels.warm()).rejects.toMatchObject({ code: 'unavailable' });
    setFaultOfAll(server, {});
    await channels.warm();
    expect([channels.isWarm(), await read()]).toEqual([true, ok]);
    await eventually(() => expect(proxy.open()).toBe(2));
  });

  test("the first profile's cluster being down does not fail the warming as long as another profile leads somewhere", async () => {
    const { channels, errors, pings, server } = await setUp();
    server.setFault('europe', { down: true });
    await channels.warm();
    expect([channels.isWarm(), pings('asia')]).toEqual([true, 1]);
    expect(errors).toMatchObject([{ code: 'unavailable', message: expect.stringContaining('serve-europe') }]);
  });

  test('warming twice at once opens no more channels than warming once', async () => {
    const { channels, proxy } = await setUp({ count: 2 });
    await Promise.all([channels.warm(), channels.warm()]);
    expect(channels.isWarm()).toBe(true);
    await eventually(() => expect(proxy.open()).toBe(2));
  });
});

describe('a channel', () => {
  test('has a connection of its own', async () => {
    const { channels, proxy } = await setUp({ count: 4 });
    await channels.warm();
    expect([proxy.made(), proxy.open()]).toEqual([4, 4]);
  });

  test('with the fewest calls takes the next, so that calls spread evenly', async () => {
    const bigtable = await startScriptedBigtable(Array(8).fill({ isHeld: true }));
    const { channels, read } = await setUp({ count: 4, address: bigtable.address });
    await channels.warm();
    for (let i = 0; i < 8; i++) void read();
    await eventually(() => expect(bigtable.peers).toHaveLength(8));
    const callsOf = (peer: string) => bigtable.peers.filter((each) => each === peer).length;
    expect([...new Set(bigtable.peers)].map(callsOf)).toEqual([2, 2, 2, 2]);
  });

  test('brings 2 MB without the server hearing anything meanwhile, so that a long way costs an answer no round trips', async () => {
    const { bigtable, channels, proxy, read, server, serverClock } = await setUp();
    await writeList(bigtable, listKey('u:1'), Buffer.alloc(2_000_000));
    await channels.warm();
    server.setFault('europe', { latencyMs: 100 });
    const reading = read();
    await eventually(() => expect(serverClock.pending()).toBe(1));
    proxy.mute();
    serverClock.advance(100);
    expect(await reading).toEqual(ok);
  });

  test('is replaced when its time has come: calls on the old one end well, later ones take the new one, and the old one closes', async () => {
    const { channels, clock, pings, proxy, read, server, serverClock } = await setUp({ lifetimeMs: 1000 });
    await channels.warm();
    server.setFault('europe', { latencyMs: 100 });
    const early = read();
    await eventually(() => expect(readCalls(server, 'europe')).toBe(1));
    server.setFault('europe', {});
    clock.advance(999);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    // The next replacement is scheduled after the new channel is in use.
    await eventually(() => expect(clock.pending()).toBe(1));
    expect([proxy.made(), proxy.open(), pings('europe')]).toEqual([2, 2, 2]);
    expect(await read()).toEqual(ok);
    expect(proxy.open()).toBe(2);
    serverClock.advance(100);
    expect(await early).toEqual(ok);
    await eventually(() => expect(proxy.open()).toBe(1));
    expect(await read()).toEqual(ok);
    expect([proxy.made(), channels.isWarm()]).toEqual([2, true]);
  });

  test('without calls closes as soon as it is replaced', async () => {
    const { channels, clock, proxy } = await setUp({ lifetimeMs: 1000 });
    await channels.warm();
    clock.advance(1000);
    await eventually(() => expect([proxy.made(), proxy.open()]).toEqual([2, 1]));
  });

  test('goes up to a fifth sooner, as chance has it, so that they do not go together', async () => {
    const draws = [0, 1];
    const { channels, clock, proxy } = await setUp({ count: 2, lifetimeMs: 1000, random: () => draws.shift() ?? 0 });
    await channels.warm();
    clock.advance(799);
    expect(clock.pending()).toBe(2);
    clock.advance(1);
    expect(clock.pending()).toBe(1);
    await eventually(() => expect([proxy.made(), proxy.open()]).toEqual([3, 2]));
  });

  test('that cannot be replaced stays in use, is told of, and is tried again after 30 s', async () => {
    const { channels, clock, errors, pings, proxy, read, server } = await setUp({ lifetimeMs: 1000 });
    await channels.warm();
    server.setFault('europe', { errorCode: 'UNAVAILABLE' });
    clock.advance(1000);
    await eventually(() => expect(errors).toMatchObject([{ code: 'unavailable' }]));
    await eventually(() => expect([clock.pending(), proxy.open()]).toEqual([1, 1]));
    server.setFault('europe', {});
    expect([await read(), channels.isWarm(), pings('europe')]).toEqual([ok, true, 2]);
    clock.advance(30_000);
    await eventually(() => expect([proxy.made(), proxy.open(), pings('europe')]).toEqual([3, 1, 3]));
  });
});

describe('closing', () => {
  test('ends calls that are out with an error, at the cluster too, and leaves no timer and no connection', async () => {
    const { channels, clock, proxy, read, server, serverClock } = await setUp({ count: 2 });
    await channels.warm();
    server.setFault('europe', { latencyMs: 60_000 });
    const reads = [read(), read(), read()];
    await eventually(() => expect(serverClock.pending()).toBe(3));
    await channels.close();
    for (const { keys, error } of await Promise.all(reads)) expect([keys, error?.source]).toEqual([[], 'table']);
    await eventually(() => expect([serverClock.pending(), proxy.open()]).toEqual([0, 0]));
    expect([clock.pending(), channels.isClosed()]).toEqual([0, true]);
  });

  test('ends calls on a channel that was replaced meanwhile', async () => {
    const { channels, clock, proxy, read, server, serverClock } = await setUp({ lifetimeMs: 1000 });
    await channels.warm();
    server.setFault('europe', { latencyMs: 60_000 });
    const early = read();
    await eventually(() => expect(serverClock.pending()).toBe(1));
    server.setFault('europe', {});
    clock.advance(1000);
    await eventually(() => expect([proxy.made(), clock.pending()]).toEqual([2, 1]));
    await channels.close();
    expect((await early).error).toMatchObject({ source: 'table' });
    await eventually(() => expect([serverClock.pending(), proxy.open(), clock.pending()]).toEqual([0, 0, 0]));
  });

  test('while channels are being opened leaves none of them, and no timer', async () => {
    const { channels, clock, proxy, server, serverClock } = await setUp({ count: 2 });
    server.setFault('europe', { latencyMs: 100 });
    const warming = channels.warm().then(
      () => 'warm',
      ({ code }: EarshotError) => code,
    );
    await eventually(() => expect(serverClock.pending()).toBe(2));
    await channels.close();
    server.setFault('europe', {});
    serverClock.advance(100);
    expect(await warming).toBe('unavailable');
    await eventually(() => expect([proxy.open(), clock.pending()]).toEqual([0, 0]));
    expect(channels.isWarm()).toBe(false);
  });

  test('while a channel is being replaced leaves neither the old one nor the new one', async () => {
    const { channels, clock, proxy, server, serverClock } = await setUp({ lifetimeMs: 1000 });
    await channels.warm();
    server.setFault('europe', { latencyMs: 100 });
    clock.advance(1000);
    await eventually(() => expect(serverClock.pending()).toBe(1));
    await channels.close();
    serverClock.advance(100);
    await eventually(() => expect([proxy.open(), clock.pending()]).toEqual([0, 0]));
  });

  test('makes every later read fail', async () => {
    const { channels, read } = await setUp();
    await channels.warm();
    await channels.close();
    expect(await read()).toMatchObject({ keys: [], error: { code: 'unavailable' } });
  });
});
