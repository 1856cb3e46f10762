// Reads at a steady rate against a worker, with a judgement of every answer.
import { setTimeout } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';

export interface ReadLoadOptions {
  /** Default: 50. */
  readonly readsPerSecond?: number;
  /** Maximum number of reads in flight: a busy machine then gets fewer of them. Default: no bound. */
  readonly maxOpen?: number;
  /** A later answer is a bad one. Default: 5000. */
  readonly timeoutMs?: number;
}

const KNOWN_USERS = 100;
const DEFAULT_TIMEOUT_MS = 5000;
/** Seconds of answers in a row without a failure: the cloud serves. */
const SETTLED_SECONDS = 2;

interface Answer {
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  readonly verdict: 'good' | 'bad' | 'wrong';
  readonly detail: string;
}

export interface ReadLoad {
  /** Resolves when the latest answers were all good. */
  settle(): Promise<void>;
  /**
   * The answers since `fromMs` of performance.now(). A bad one has no list; a wrong one has another listener's or none.
   */
  since(fromMs: number): {
    readonly answers: number;
    readonly bad: number;
    /** The different reasons of bad answers. */
    readonly reasons: readonly string[];
    readonly wrong: readonly string[];
    readonly lastBadAtMs: number | undefined;
  };
  stop(): Promise<void>;
}

/**
 * Half of the reads are of known users, whose lists must be the ones of before or the popular one. The other half are
 * of users that no cache knows, who have no list: 404, from the table.
 */
export async function createReadLoad(
  cloud: Pick<TestCloud, 'edgeUrl' | 'mintToken'>,
  { readsPerSecond = 50, maxOpen = Number.POSITIVE_INFINITY, timeoutMs = DEFAULT_TIMEOUT_MS }: ReadLoadOptions = {},
): Promise<ReadLoad> {
  const settledAnswers = SETTLED_SECONDS * readsPerSecond;
  const token = await cloud.mintToken('service:load', 'recs:read:any');
  const agent = new Agent({ connections: 200 });
  const get = async (user: string, query: string): Promise<{ status: number; text: string }> => {
    const url = `${cloud.edgeUrl}/v1/users/${user}/recommendations/home?${query}`;
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: statusCode, text: await body.text() };
  };
  const known = new Map<string, string>();
  for (let i = 1; i <= KNOWN_USERS; i += 1) known.set(`listener:${i}`, (await get(`listener:${i}`, 'limit=5')).text);
  const popular = itemsOf((await get('listener:nobody', 'limit=5')).text);

  const judgeKnown = (user: string, { status, text }: { status: number; text: string }): Verdict => {
    if (status >= 500) return { verdict: 'bad', detail: `${status} ${text}` };
    const isOwn = status === 200 && text === known.get(user);
    const isPopular = status === 200 && !isOwn && text.includes('"source":"popular"') && itemsOf(text) === popular;
    return { verdict: isOwn || isPopular ? 'good' : 'wrong', detail: `${user}: ${status} ${text}` };
  };
  const judgeUnknown = (user: string, { status, text }: { status: number; text: string }): Verdict => {
    if (status >= 500) return { verdict: 'bad', detail: `${status} ${text}` };
    return { verdict: status === 404 ? 'good' : 'wrong', detail: `${user}: ${status} ${text}` };
  };

  const answers: Answer[] = [];
  let isStopped = false;
  /** Reads that were due, with those that were not sent. */
  let planned = 0;
  let sent = 0;
  const read = async (i: number): Promise<void> => {
    const sentAtMs = performance.now();
    const isKnown = i % 2 === 0;
    const user = isKnown ? `listener:${1 + ((i / 2) % KNOWN_USERS)}` : `listener:cold-${i}`;
    const judge = isKnown ? judgeKnown : judgeUnknown;
    const outcome = await get(user, isKnown ? 'limit=5' : 'fallback=none').then(
      (answer) => judge(user, answer),
      (error: Error): Verdict => ({ verdict: 'bad', detail: error.message }),
    );
    answers.push({ sentAtMs, answeredAtMs: performance.now(), ...outcome });
  };
  const open = new Set<Promise<void>>();
  const generator = (async () => {
    const startedAtMs = performance.now();
    while (!isStopped) {
      const due = Math.ceil(((performance.now() - startedAtMs) * readsPerSecond) / 1000) - planned;
      planned += due;
      const last = sent + Math.min(due, maxOpen - open.size);
      for (; sent < last; sent += 1) {
        const one = read(sent).finally(() => open.delete(one));
        open.add(one);
      }
      await setTimeout(1000 / readsPerSecond);
    }
    await Promise.all(open);
    await agent.close();
  })();

  return {
    settle: async () => {
      const from = answers.length;
      const isSettled = (): boolean =>
        answers.length >= from + settledAnswers &&
        answers.slice(-settledAnswers).every(({ verdict }) => verdict === 'good');
      while (!isSettled()) await setTimeout(1000 / readsPerSecond);
    },
    since: (fromMs) => {
      const recent = answers.filter(({ answeredAtMs }) => answeredAtMs >= fromMs);
      const bad = recent.filter(({ verdict }) => verdict === 'bad');
      return {
        answers: recent.length,
        bad: bad.length,
        reasons: [...new Set(bad.map(({ detail }) => detail))],
        wrong: recent.filter(({ verdict }) => verdict === 'wrong').map(({ detail }) => detail),
        lastBadAtMs: bad.length === 0 ? undefined : Math.max(...bad.map(({ answeredAtMs }) => answeredAtMs)),
      };
    },
    stop: async () => {
      isStopped = true;
      await generator;
    },
  };
}

type Verdict = Pick<Answer, 'verdict' | 'detail'>;

const itemsOf = (text: string): string => text.slice(text.indexOf('"items":'));
