// Connections of load generators: every request gets an answer or an error.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRawConnection, type RawAnswer, type RawConnection } from '../../../bench/load/raw-connection.ts';
import { waitUntil } from '../../../dev/processes/wait.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

const REQUEST = Buffer.from('GET / HTTP/1.1\r\n\r\n');

let server: Server;
let connection: RawConnection;
let peer: Socket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  connection = openRawConnection((server.address() as AddressInfo).port);
  [peer] = (await once(server, 'connection')) as [Socket];
});
afterEach(() => {
  connection.close();
  peer.destroy();
  server.close();
});

const send = (): Promise<RawAnswer | Error> => new Promise((resolve) => connection.send(REQUEST, resolve));

test('an answer in several chunks is reported whole', async () => {
  const answer = send();
  await once(peer, 'data');
  for (const piece of ['HTTP/1.1 200 OK\r\nContent-', 'Length: 4\r\n\r\nab', 'cd']) {
    peer.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await answer).toEqual({ status: 200, body: Buffer.from('abcd') });
});

test('an end without an answer is an error', async () => {
  const answer = send();
  peer.end();
  expect(await answer).toBeInstanceOf(Error);
});

test('a request on a connection that the server has closed is an error', async () => {
  peer.end();
  await waitUntil('the connection to end', async () => !connection.isOpen(), systemClock);
  expect(await send()).toBeInstanceOf(Error);
});
