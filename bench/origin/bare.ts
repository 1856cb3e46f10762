// `node bench/origin/bare.ts [--read]`: a bare Hono route on the HTTP server of the origin. It answers every request
// with the bytes from its standard input, and checks and counts nothing. With --read it reads the request's body first,
// as any route does whose answer depends on the body.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { LISTS_READ_PATH } from '../../shared/wire/read-request.ts';
import { LIST_FRAMES_TYPE } from '../../shared/wire/read-response.ts';

const body = new Uint8Array(await buffer(process.stdin));
const app = new Hono();
const headers = { 'Content-Type': LIST_FRAMES_TYPE };
if (process.argv.includes('--read')) {
  app.post(LISTS_READ_PATH, async (c) => {
    await c.req.json();
    return c.body(body, 200, headers);
  });
} else app.post(LISTS_READ_PATH, (c) => c.body(body, 200, headers));
const server = createAdaptorServer({ fetch: app.fetch }) as Server;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
process.once('SIGTERM', () => process.exit(0));
