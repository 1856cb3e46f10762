// `node --expose-gc bench/soak/soak-origin.ts`: an origin, forked, that tells what it holds when it is asked to by a
// message.
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
  // Twice, because what finalizers let go of is only collected the next time.
  globalThis.gc?.();
  globalThis.gc?.();
  const sockets = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const held: Held = { heapBytes: process.memoryUsage().heapUsed, sockets, timers, unhandled };
  process.send?.(held);
});
process.once('SIGTERM', () => void origin.drain().then(() => process.exit(0)));
process.send?.({ url: origin.url });
