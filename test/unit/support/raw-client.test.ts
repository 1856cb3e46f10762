// The raw client of hostile requests, on connections that a server ends between two requests.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createRawClient, type RawRequest } from '../../support/raw-http/raw-client.ts';
import { eventually } from '../../support/waiting.ts';

const REQUEST: RawRequest = {
  side: 'origin',
  bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  method: 'GET',
  isWhole: true,
  isCut: false,
};

test('a kept connection that the server has ended is replaced by a new one', async () => {
  let connections = 0;
  let ended = 0;
  // The server still reads, so that the client's bytes are neither answered nor refused.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    socket.once('data', () => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', () => {
        ended += 1;
      });
    });
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = createRawClient(() => (server.address() as AddressInfo).port);
  onTestFinished(() => client.close());
  expect(await client.send(REQUEST)).toMatchObject({ status: 200, isReusable: true });
  await eventually(() => expect(ended).toBe(1));
  // The end has been sent. The client's socket sees it in one of its next turns.
  for (let turns = 0; turns < 50; turns++) await setImmediate();
  expect(await client.send(REQUEST)).toMatchObject({ status: 200 });
  expect(connections).toBe(2);
});
