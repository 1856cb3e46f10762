// Fuzzed requests to the deployed worker in workerd and to an origin process: no 5xx of Earshot, no ejection, no crash,
// flat memory, and healthy listeners that notice nothing. A round is 1 000 requests, half of them to each side:
// `npm run drill -- fuzzed-requests --rounds 200` sends 200 000. DRILL_SEED=n repeats the round of seed n first.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE, type Scope } from '../../shared/domain/identity.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { drillRounds, drillSeed } from '../support/drill-rounds.ts';
import { breakRequest } from './fuzz/broken-requests.ts';
import { type Deployment, deploy, type Part } from './fuzz/deployment.ts';
import { edgeRequest } from './fuzz/edge-requests.ts';
import { findFaults, isOwn } from './fuzz/judge.ts';
import { boundOf, type Memory, measureMemory } from './fuzz/memory.ts';
import { originRequest } from './fuzz/origin-requests.ts';
import { createRawClient, type RawClient } from './fuzz/raw-client.ts';
import { describe as describeRequest, type FuzzRequest } from './fuzz/request.ts';
import { itemOf } from './fuzz/texts.ts';

const REQUESTS_PER_ROUND = 1_000;
/** A healthy listener reads for the first time beside this many fuzzed requests. */
const REQUESTS_PER_HEALTHY = 50;
const OWN_PATH = '/v1/me/recommendations/home';
const CONCURRENCY = 32;
/** Rounds between two garbage collections of all parts, in a drill of more rounds. */
const ROUNDS_PER_MEASUREMENT = 10;
/** Share of the rounds after which caches are full and memory has to be flat. */
const WARM_SHARE = 0.1;

const WHOLE_AND_BROKEN = { edge: makeArbitrary(edgeRequest), origin: makeArbitrary(originRequest) };

function makeArbitrary(whole: fc.Arbitrary<FuzzRequest>): fc.Arbitrary<FuzzRequest> {
  return fc.oneof({ weight: 4, arbitrary: whole }, { weight: 1, arbitrary: breakRequest(whole) });
}

interface Round {
  readonly number: number;
  readonly seed: number;
  /** Answers by side and class of status. */
  readonly answers: Map<string, number>;
}

test('fuzzed requests bring no 5xx, no ejection, no crash and no other list, and memory stays flat', async () => {
  const deployment = await deploy();
  const { edge, origins } = deployment;
  const client = createRawClient((side) => (side === 'edge' ? edge.port : (origins[0]?.port ?? 0)));
  // A listener without a list reads the popular one, which the fallback of all others then has.
  const cold = await fetch(`http://127.0.0.1:${edge.port}${OWN_PATH}`, {
    headers: { authorization: `Bearer ${await mint('listener:without-a-list', [])}` },
  });
  expect(await cold.json()).toMatchObject({ source: 'popular' });
  const warmRounds = Math.ceil(drillRounds * WARM_SHARE);
  const total = new Map<string, number>();
  let warm: readonly Memory[] = [];
  for (let number = 1; number <= drillRounds; number += 1) {
    const round: Round = { number, seed: drillSeed + number - 1, answers: new Map() };
    await runRound(deployment, client, round);
    for (const [status, count] of round.answers) total.set(status, (total.get(status) ?? 0) + count);
    const memory = await inspectParts(deployment, round);
    if (memory.length === 0) continue;
    if (number >= warmRounds && warm.length === 0) warm = memory;
    expectFlat([edge, ...origins], warm, memory);
  }
  client.close();
  process.stdout.write(`all: ${drillRounds * REQUESTS_PER_ROUND} requests, ${countsOf(total)}\n`);
  // The generator reaches every kind of answer, so that a change to it cannot make the drill an empty one.
  const seen = ['200', '304', '400', '401', '403', '404', '405', '413', '415'].map((status) => `edge ${status}`);
  const originSeen = ['200', '304', '400', '401', '404', '413'].map((status) => `origin ${status}`);
  expect([...total.keys()]).toEqual(expect.arrayContaining([...seen, ...originSeen]));
}, 36_000_000);

async function runRound(deployment: Deployment, client: RawClient, round: Round): Promise<void> {
  const half = { seed: round.seed, numRuns: REQUESTS_PER_ROUND / 2 };
  const toEdge = fc.sample(WHOLE_AND_BROKEN.edge, half);
  const toOrigin = fc.sample(WHOLE_AND_BROKEN.origin, half);
  const listeners = Array.from(
    { length: REQUESTS_PER_ROUND / REQUESTS_PER_HEALTHY },
    (_, i) => `healthy:${round.seed}:${i}`,
  );
  await deployment.writeLists(listeners);
  const faults: string[] = [];
  const tasks = toEdge.flatMap((request, i) => [
    () => sendOne(client, round, request, faults),
    () => sendOne(client, round, toOrigin[i] ?? request, faults),
  ]);
  for (const [i, user] of listeners.entries())
    tasks.splice(i * (REQUESTS_PER_HEALTHY + 1), 0, () => readHealthy(deployment.edge, user, faults));
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task();
    }),
  );
  if (faults.length > 0) expect.fail(describeFaults(round, faults, deployment.logTail()));
}

/** Each kind of fault once, with its number and the first request. */
function describeFaults({ seed }: Round, faults: readonly string[], log: string): string {
  const kinds = Map.groupBy(faults, (fault) => fault.split('\n')[0]);
  const texts = [...kinds.values()].map((all) => `${all.length} times: ${all[0]}`);
  return `DRILL_SEED=${seed}: ${faults.length} faults\n${texts.join('\n')}\n${log}`;
}

async function sendOne(client: RawClient, { answers }: Round, request: FuzzRequest, faults: string[]): Promise<void> {
  try {
    const answer = await client.send(request);
    const isOfServer = answer.status !== 'closed' && answer.status >= 500 && !isOwn(answer);
    const status = `${request.side} ${answer.status}${isOfServer ? ' of workerd' : ''}`;
    answers.set(status, (answers.get(status) ?? 0) + 1);
    for (const fault of findFaults(request, answer)) faults.push(`${fault}\n    ${describeRequest(request)}`);
  } catch (error) {
    faults.push(`${(error as Error).message}\n    ${describeRequest(request)}`);
  }
}

const mint = (user: string, scope: Scope[]): Promise<string> =>
  mintToken({ user, scope, audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS }, TOKEN_SECRET);

/** A cold read: no cache has the list of `user`. */
async function readHealthy({ port }: Part, user: string, faults: string[]): Promise<void> {
  const headers = { authorization: `Bearer ${await mint(user, [])}` };
  const response = await fetch(`http://127.0.0.1:${port}${OWN_PATH}`, { headers });
  const text = await response.text();
  const isPersonal = text.includes('"source":"personal"') && text.includes(`[{"id":"${itemOf(user)}"`);
  if (response.status !== 200 || !isPersonal)
    faults.push(`expected the own list of ${user}, got ${response.status} ${text}`);
}

/** Prints the line of the round. Every part lives, no region is ejected or refusing, and none has been. */
async function inspectParts({ edge, origins }: Deployment, { number, seed, answers }: Round): Promise<Memory[]> {
  for (const { pid, name } of [edge, ...origins]) expect(() => process.kill(pid, 0), name).not.toThrow();
  const headers = { authorization: `Bearer ${await mint('operator', ['recs:read:any'])}` };
  const status = edgeStatusSchema.parse(
    await (await fetch(`http://127.0.0.1:${edge.port}${STATUS_PATH}`, { headers })).json(),
  );
  const { edge_ejections_total: ejections, edge_origin_failures_total, region_origin_failures_total } = status.counters;
  const failures = edge_origin_failures_total + region_origin_failures_total;
  const isMeasured = drillRounds <= 2 * ROUNDS_PER_MEASUREMENT || number % ROUNDS_PER_MEASUREMENT === 0;
  const memory: Memory[] = [];
  for (const part of isMeasured ? [edge, ...origins] : []) memory.push(await measureMemory(part));
  const sizes = memory.map(
    ({ liveBytes, residentBytes }, i) =>
      `; ${[edge, ...origins][i]?.name} ${megabytes(liveBytes)} live, ${megabytes(residentBytes)} resident`,
  );
  process.stdout.write(
    `round ${number}: seed ${seed}, ${REQUESTS_PER_ROUND} requests, ${countsOf(answers)}; ${failures} failed calls, ${ejections} ejections${sizes.join('')}\n`,
  );
  expect(status.regions.filter(({ state }) => state === 'refusing')).toEqual([]);
  // A region that failed no call was ejected because this machine was slow: answers came, but late.
  if (failures > 0) expect({ failures, ejections }).toEqual({ failures, ejections: 0 });
  return memory;
}

function expectFlat(parts: readonly Part[], warm: readonly Memory[], now: readonly Memory[]): void {
  for (const [i, before] of warm.entries()) {
    const { liveBytes = 0, residentBytes = 0 } = now[i] ?? {};
    expect(liveBytes, `live bytes of ${parts[i]?.name}`).toBeLessThan(boundOf(before.liveBytes));
    expect(residentBytes, `resident bytes of ${parts[i]?.name}`).toBeLessThan(boundOf(before.residentBytes));
  }
}

const countsOf = (answers: ReadonlyMap<string, number>): string =>
  [...answers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, count]) => `${status}: ${count}`)
    .join(', ');

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
