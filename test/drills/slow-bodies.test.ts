// Callers without a token send nothing, half a head, slow bodies and large ones to an origin in a process of its own.
// Its memory stays bounded, every such connection is closed within the documented times, and the edge is answered
// meanwhile. A round has 150 connections: `npm run drill -- slow-bodies --rounds 14` has 2 100.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { mintBenchToken, startOriginProcess } from '../../bench/rigs/origin-process.ts';
import { HEADERS_TIMEOUT_MS } from '../../origin/http/bounded-server.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { LISTS_READ_PATH } from '../../shared/wire/read-request.ts';
import { MONDAY, manifestOf, publishManifest, startInstance, writeList } from '../contracts/origin/instance.ts';
import { drillRounds } from '../support/drill-rounds.ts';

const CONNECTIONS = 150 * drillRounds;
/** Node checks once a second. The rest is for a machine that runs other tests at the same time. */
const CLOSED_WITHIN_MS = HEADERS_TIMEOUT_MS + 1_000 + 4_000;
/** Per connection: a head, and the buffers of a socket. A body of 128 KiB in memory would exceed it. */
const MAX_GROWTH_MB = 48 + 0.04 * CONNECTIONS;
const EVERY_MS = 50;

const head = (bytes: number): string =>
  `POST ${LISTS_READ_PATH} HTTP/1.1\r\nHost: origin\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
const LARGE = 'x'.repeat(128 * 1024 - 1);
const ATTACKS = ['', 'POST / HTTP/1.1\r\nHost: origin\r\n', `${head(1000)}{`, head(LARGE.length + 1) + LARGE];

/** Milliseconds until the connection is closed, and the status that it was answered with. */
function attack(port: number, text: string): Promise<{ readonly openMs: number; readonly status: string }> {
  return new Promise((resolve) => {
    const startedAtMs = performance.now();
    let received = '';
    let drip: NodeJS.Timeout | undefined;
    const socket = connect(port, '127.0.0.1', () => {
      if (text === '') return;
      socket.write(text);
      // A byte now and then: a connection with traffic is no idle one.
      drip = setInterval(() => void (socket.writable && socket.write('x')), 500);
    });
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearInterval(drip);
      resolve({ openMs: performance.now() - startedAtMs, status: received.slice(9, 12) });
    });
  });
}

const residentMb = (pid: number): number =>
  (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6;

test('slow and large bodies without a token hold no memory and no connection, and the edge is answered', async () => {
  const { address, bigtable } = await startInstance();
  const key = { surface: toName('home'), variant: toName('control'), generation: MONDAY, user: toUserId('u:1') };
  await writeList(bigtable, key, '{"id":"a","score":1}');
  await publishManifest(bigtable, manifestOf(1), Date.now());
  const steps: (() => Promise<void> | void)[] = [];
  onTestFinished(async () => {
    for (const step of steps) await step();
  });
  const origin = await startOriginProcess(
    { add: (step) => steps.push(step) },
    {
      ...{ EARSHOT_PROJECT: address.project, EARSHOT_INSTANCE: address.instance },
      BIGTABLE_EMULATOR_HOST: address.emulatorHost ?? '',
    },
  );
  const headers = { authorization: `Bearer ${await mintBenchToken()}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ keys: [key] });
  const read = async (): Promise<string> => {
    const response = await fetch(`${origin.url}${LISTS_READ_PATH}`, { method: 'POST', headers, body });
    return `${response.status} ${(await response.text()).includes('"id":"a"')}`;
  };
  expect(await read()).toBe('200 true');

  const beforeMb = residentMb(origin.pid);
  let isOver = false;
  const attacks = Promise.all(
    Array.from({ length: CONNECTIONS }, (_, i) => attack(origin.port, ATTACKS[i % ATTACKS.length] ?? '')),
  ).finally(() => {
    isOver = true;
  });
  const answers = new Map<string, number>();
  let peakMb = beforeMb;
  while (!isOver) {
    const answer = await read().catch((error: Error) => error.message);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
    peakMb = Math.max(peakMb, residentMb(origin.pid));
    await pause(EVERY_MS);
  }
  const closed = await attacks;

  const longestMs = Math.max(...closed.map(({ openMs }) => openMs));
  const statuses: Record<string, number> = {};
  for (const { status } of closed) statuses[status || 'none'] = (statuses[status || 'none'] ?? 0) + 1;
  console.log(
    `${CONNECTIONS} connections: ${beforeMb.toFixed(0)} MB before, ${peakMb.toFixed(0)} MB at most, ${residentMb(origin.pid).toFixed(0)} MB after; ` +
      `the last one was closed after ${(longestMs / 1000).toFixed(1)} s; statuses ${JSON.stringify(statuses)}; ` +
      `answers to the edge meanwhile ${JSON.stringify(Object.fromEntries(answers))}`,
  );
  // The attack can take the CPU that both share here: the origin then sheds calls, and the edge asks the next region.
  const answered = answers.get('200 true') ?? 0;
  expect([...answers.keys()].filter((answer) => !['200 true', '503 false'].includes(answer))).toEqual([]);
  expect(answered).toBeGreaterThan(10);
  expect(answers.get('503 false') ?? 0).toBeLessThan(answered / 4);
  expect(longestMs).toBeLessThan(CLOSED_WITHIN_MS);
  expect(peakMb - beforeMb).toBeLessThan(MAX_GROWTH_MB);
  // Half of them sent a whole head. An answer can be lost to a reset while a caller sends.
  expect(statuses['401'] ?? 0).toBeGreaterThan(CONNECTIONS / 4);
  expect(statuses['408'] ?? 0).toBeGreaterThan(CONNECTIONS / 4);
});
