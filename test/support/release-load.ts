// Reads of a local cloud that tell which release each answer is of.
import { setTimeout } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { LOCAL_INSTANCE, LOCAL_PROJECT } from '../../dev/topology.ts';
import { createBulkWriter } from '../../ops/bigtable/writes/bulk-writer.ts';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { connectBigtable } from '../../origin/bigtable/connection.ts';
import { parseGeneration } from '../../shared/domain/generation.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { FAMILIES, makeListQualifier, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { systemClock } from '../../shared/runtime/clock.ts';

const READS_PER_SECOND = 100;
/** Reads of one request. */
const BATCH = 20;
const TIMEOUT_MS = 10_000;
const QUALIFIER = makeListQualifier(toName('home'), toName('control'));

export interface ReleaseAnswer {
  readonly user: string;
  readonly place: string | undefined;
  /** When it was asked for, in ms since the epoch. */
  readonly askedAtMs: number;
  readonly status: number;
  readonly source: string;
  readonly generation: string;
  readonly ids: readonly string[];
  readonly titles: readonly unknown[];
}

export interface Watch {
  /** Ends the load. `goneBack`: users that had a later release before, at the same place. */
  end(): Promise<{
    readonly answers: readonly ReleaseAnswer[];
    readonly failures: readonly string[];
    readonly goneBack: readonly string[];
  }>;
}

export interface ReleaseLoad {
  readAll(users: readonly string[], place?: string, expand?: 'items'): Promise<ReleaseAnswer[]>;
  /** Reads at a steady rate until its end: every user and every place in turn. Other lists count as failures. */
  watch(places: readonly (string | undefined)[], accepts?: 'personal' | 'any'): Watch;
  /** Makes the lists of a load empty, behind the gate's back. */
  emptyLists(moment: string, users: readonly string[]): Promise<void>;
  stop(): void;
}

interface Body {
  readonly source?: string;
  readonly generation?: string;
  readonly items?: readonly { readonly id: string; readonly metadata?: { readonly title?: unknown } }[];
}

export async function createReleaseLoad(
  cloud: Pick<TestCloud, 'edgeUrl' | 'mintToken'> & Partial<Pick<TestCloud, 'ports'>>,
  users: readonly string[],
): Promise<ReleaseLoad> {
  const token = await cloud.mintToken('service:load', 'recs:read:any');
  const agent = new Agent({ connections: 50 });

  async function readBatch(of: readonly string[], place?: string, expand?: 'items'): Promise<ReleaseAnswer[]> {
    const askedAtMs = Date.now();
    const reads = of.map((user) => ({ user, surface: 'home', limit: 10, ...(expand === undefined ? {} : { expand }) }));
    const { body } = await request(`${cloud.edgeUrl}/v1/recommendations:batch`, {
      ...{ dispatcher: agent, method: 'POST', body: JSON.stringify({ reads }) },
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(place === undefined ? {} : { 'earshot-dev-location': place }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { results } = (await body.json()) as { results: (Body & { readonly status: number })[] };
    return results.map(({ status, source = '', generation = '', items = [] }, i) => ({
      ...{ user: of[i] ?? '', place, askedAtMs, status, source, generation, ids: items.map(({ id }) => id) },
      titles: items.map(({ metadata }) => metadata?.title),
    }));
  }

  async function readAll(of: readonly string[], place?: string, expand?: 'items'): Promise<ReleaseAnswer[]> {
    const answers: ReleaseAnswer[] = [];
    for (let from = 0; from < of.length; from += BATCH)
      answers.push(...(await readBatch(of.slice(from, from + BATCH), place, expand)));
    return answers;
  }

  function watch(places: readonly (string | undefined)[], accepts: 'personal' | 'any' = 'personal'): Watch {
    const answers: ReleaseAnswer[] = [];
    const failures: string[] = [];
    const goneBack: string[] = [];
    const newest = new Map<string, number>();
    let isOver = false;
    const record = (answer: ReleaseAnswer, place: string | undefined): void => {
      const isList = answer.status === 200 && (accepts === 'any' || answer.source === 'personal');
      if (!isList) failures.push(`${answer.user}: ${answer.status}`);
      else answers.push(answer);
      const key = `${answer.user}/${place}`;
      const generation = parseGeneration(answer.generation) ?? 0;
      if (generation < (newest.get(key) ?? 0)) goneBack.push(key);
      newest.set(key, generation);
    };
    const running = (async () => {
      const startedAtMs = performance.now();
      for (let i = 0; !isOver; i++) {
        const from = (i * BATCH) % users.length;
        const place = places[Math.floor((i * BATCH) / users.length) % places.length];
        try {
          for (const answer of await readBatch(users.slice(from, from + BATCH), place)) record(answer, place);
        } catch (error) {
          failures.push((error as Error).message);
        }
        const dueMs = startedAtMs + ((i + 1) * BATCH * 1000) / READS_PER_SECOND;
        await setTimeout(Math.max(1, dueMs - performance.now()));
      }
    })();
    return {
      end: async () => {
        isOver = true;
        await running;
        return { answers, failures, goneBack };
      },
    };
  }

  return {
    readAll,
    watch,
    emptyLists: async (moment, of) => {
      const emulatorHost = `127.0.0.1:${cloud.ports?.bigtable}`;
      const bigtable = connectBigtable({ project: LOCAL_PROJECT, instance: LOCAL_INSTANCE, emulatorHost });
      const writer = createBulkWriter(bigtable, {
        ...{ table: TABLES.recommendations, family: FAMILIES.lists, qualifier: QUALIFIER },
        ...{ timestampMs: parseGeneration(moment) ?? 0, appProfile: APP_PROFILES.ingest },
        ...{ clock: systemClock, random: Math.random },
      });
      for (const user of of) await writer.write({ rowKey: makeRowKey(toUserId(user)), value: '{"id":"x","score":1}' });
      await writer.flush();
      await bigtable.close();
    },
    stop: () => void agent.close(),
  };
}
