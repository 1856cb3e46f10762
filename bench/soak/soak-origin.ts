// `node --expose-gc bench/soak/soak-origin.ts`: a forked origin that reports its heap, sockets and timers on a message.
import { pino } from 'pino';
import { readOriginConfig } from '../../origin/config.ts';
import { watchLoop } from '../../origin/guard/cpu-admission.ts';
import { startOrigin } from '../../origin/server.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Held } from './soak.ts';

let unhandled = 0;
process.on('unhandledRejection', () => unhandled++);
process.on('uncaughtException', () => unhandled++);

const origin = await startOrigin(readOriginConfig(process.env), {
  clock: systemClock,
  logger: pino({ level: 'silent' }),
  loopLoad: watchLoop(),
});

process.on('message', () => {
  // Two collections: the second one frees objects that finalizers released.
  globalThis.gc?.();
  globalThis.gc?.();
  const sockets = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const held: Held = { heapBytes: process.memoryUsage().heapUsed, sockets, timers, unhandled };
  process.send?.(held);
});
process.once('SIGTERM', () => void origin.drain().then(() => process.exit(0)));
process.send?.({ url: origin.url, metricsUrl: origin.metricsUrl });
