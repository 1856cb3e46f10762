// The attacks of `npm run bench -- hostile`. Each is what one client can send, at a rate that one machine can have.
import { connect, type Socket } from 'node:net';
import { limitsSchema } from '../../edge/limits/config.ts';
import type { Limit } from '../../edge/limits/token-bucket.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { DEADLINE_HEADER } from '../../shared/wire/deadline.ts';
import { LISTS_READ_PATH } from '../../shared/wire/read-request.ts';
import { makeHttpRequest } from '../load/load.ts';
import { type PhaseReport, runOpenLoad } from '../load/open-load.ts';
import { TOKEN_SECRET } from '../rigs/edge-asks.ts';
import { makeListener } from '../support/table-data.ts';
import { EXPANDED_USER } from './expanded-items.ts';

export interface Target {
  readonly edgePort: number;
  readonly originPort: number;
  /** Index of a listener whose list nothing has read. */
  readonly nextListener: () => number;
}

export interface Attack {
  readonly name: string;
  /** The limit that the attacker's requests are held to. Default: it is not measured. */
  readonly limit?: Limit;
  /** Runs for `durationMs`. Returns the reports of the attacker's requests, if it sends whole ones. */
  run(target: Target, durationMs: number): Promise<readonly PhaseReport[]>;
}

const LIST_PATH = '/v1/me/recommendations/home';
const BATCH_PATH = '/v1/recommendations:batch';
/** One address for all requests of an attacker, as Cloudflare would tell it. */
const ATTACKER_ADDRESS = { 'cf-connecting-ip': '198.51.100.7' };

const tokenFor = (user: string): Promise<string> =>
  mintToken({ user, scope: [], audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS }, TOKEN_SECRET);

/** Sends `requests` in turn, whatever the answers are. */
const flood = ({ edgePort: port }: Target, requests: readonly string[], perSecond: number, durationMs: number) =>
  runOpenLoad({ port, requests, maxConnections: 256, phases: [{ perSecond, durationMs }] });

/** Cold lists of many listeners, each with a token of its own and a deadline of `deadlineMs`. */
const shortDeadlines = (deadlineMs: number, perSecond: number): Attack => ({
  name: `deadline of ${deadlineMs} ms, ${perSecond}/s`,
  run: async (target, durationMs) => {
    const count = Math.ceil((perSecond * durationMs) / 1000);
    const requests: string[] = [];
    for (let i = 0; i < count; i++) {
      const authorization = `Bearer ${await tokenFor(makeListener(target.nextListener()))}`;
      requests.push(makeHttpRequest(LIST_PATH, { authorization, [DEADLINE_HEADER]: String(deadlineMs) }));
    }
    return flood(target, requests, perSecond, durationMs);
  },
});

const sameExpandedRead: Attack = {
  name: '100 times one expanded read, 10/s',
  run: async (target, durationMs) => {
    const reads = Array.from({ length: 100 }, () => ({
      user: EXPANDED_USER,
      surface: 'home',
      limit: 100,
      expand: 'items',
    }));
    const headers = {
      ...ATTACKER_ADDRESS,
      authorization: `Bearer ${await tokenFor(EXPANDED_USER)}`,
      'content-type': 'application/json',
    };
    return flood(target, [makeHttpRequest(BATCH_PATH, headers, JSON.stringify({ reads }))], 10, durationMs);
  },
};

const paddedTokens: Attack = {
  name: 'spaces before a valid token, 100/s',
  run: async (target, durationMs) => {
    const token = await tokenFor('attacker');
    const requests = Array.from({ length: 500 }, (_, i) =>
      makeHttpRequest(LIST_PATH, {
        ...ATTACKER_ADDRESS,
        authorization: `Bearer ${' '.repeat(30_000 + i)}${token}`,
      }),
    );
    return flood(target, requests, 100, durationMs);
  },
};

/** In the only valid text of its 32 bytes. */
const forgedSignature = (i: number): string => Buffer.from(`forged signature ${i}`.padEnd(32)).toString('base64url');

const forgedTokens: Attack = {
  name: 'forged tokens, 500/s',
  run: async (target, durationMs) => {
    const [header, payload] = (await tokenFor('attacker')).split('.');
    const requests = Array.from({ length: 500 }, (_, i) =>
      makeHttpRequest(LIST_PATH, {
        ...ATTACKER_ADDRESS,
        authorization: `Bearer ${header}.${payload}.${forgedSignature(i)}`,
      }),
    );
    return flood(target, requests, 500, durationMs);
  },
};

/** For a list that is in the memory of the isolate. */
const oneToken: Attack = {
  name: 'one token, 3000/s',
  limit: limitsSchema.parse({}).subject,
  run: async (target, durationMs) => {
    const authorization = `Bearer ${await tokenFor(makeListener(0))}`;
    return flood(target, [makeHttpRequest(LIST_PATH, { ...ATTACKER_ADDRESS, authorization })], 3_000, durationMs);
  },
};

const foreignHosts: Attack = {
  name: 'other hosts, 100/s',
  run: async (target, durationMs) => {
    const authorization = `Bearer ${await tokenFor('attacker')}`;
    const requests = Array.from({ length: 200 }, (_, i) =>
      makeHttpRequest(LIST_PATH, { ...ATTACKER_ADDRESS, host: `other-${i}.example.com`, authorization }),
    );
    return flood(target, requests, 100, durationMs);
  },
};

const MAX_SOCKETS = 2_000;

/** Connections to an origin, without a token, that send a part of a body and wait. */
const tokenlessBodies: Attack = {
  name: `${MAX_SOCKETS} tokenless bodies at an origin`,
  run: async ({ originPort }, durationMs) => {
    const lines = ['host: origin', 'content-type: application/json', 'content-length: 131072'];
    const head = [`POST ${LISTS_READ_PATH} HTTP/1.1`, ...lines, '', ''].join('\r\n');
    const sockets: Socket[] = [];
    for (let i = 0; i < MAX_SOCKETS; i++) {
      const socket = connect({ host: '127.0.0.1', port: originPort });
      socket.on('error', () => {});
      socket.write(head + 'x'.repeat(60_000));
      sockets.push(socket);
    }
    await pause(systemClock, durationMs);
    for (const socket of sockets) socket.destroy();
    return [];
  },
};

export const ATTACKS: readonly Attack[] = [
  shortDeadlines(60, 20),
  shortDeadlines(1, 200),
  sameExpandedRead,
  paddedTokens,
  forgedTokens,
  oneToken,
  foreignHosts,
  tokenlessBodies,
];
