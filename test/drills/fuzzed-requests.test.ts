// Fuzzed requests to the deployed worker in workerd and to an origin process: no 5xx of Earshot, no ejection, no crash,
// flat memory, and healthy listeners that notice nothing. A round is 1 000 requests, half of them to each side:
// `npm run drill -- fuzzed-requests --rounds 200` sends 200 000. DRILL_SEED=n repeats the round of seed n first.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drillRounds, drillSeed } from '../support/drill-rounds.ts';
import { createRawClient, type RawClient } from '../support/raw-http/raw-client.ts';
import { eventually } from '../support/waiting.ts';
import { type Deployment, deploy, type Part } from './fuzz/deployment.ts';
import { type EdgeHealth, readHealth } from './fuzz/edge-health.ts';
import { breakRequest } from './fuzz/generators/broken-requests.ts';
import { edgeRequest } from './fuzz/generators/edge-requests.ts';
import { originRequest } from './fuzz/generators/origin-requests.ts';
import { describe as describeRequest, type FuzzRequest } from './fuzz/generators/request.ts';
import { findHealthyFaults, readOwn } from './fuzz/healthy-listeners.ts';
import { findFaults, isOwn } from './fuzz/judge.ts';
import { boundOf, type Memory, measureMemory } from './fuzz/memory.ts';

const REQUESTS_PER_ROUND = 1_000;
/** A healthy listener reads for the first time beside this many fuzzed requests. */
const REQUESTS_PER_HEALTHY = 50;
const CONCURRENCY = 32;
/** As many as `npm test` runs. */
const FEW_ROUNDS = 2;
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
  let health = await readHealth(edge);
  let earlier = health.ejections;
  const warmRounds = Math.ceil(drillRounds * WARM_SHARE);
  const total = new Map<string, number>();
  let warm: readonly Memory[] = [];
  for (let number = 1; number <= drillRounds; number += 1) {
    const round: Round = { number, seed: drillSeed + number - 1, answers: new Map() };
    await runRound(deployment, client, round);
    for (const [status, count] of round.answers) total.set(status, (total.get(status) ?? 0) + count);
    const before = health;
    const now = await readHealth(edge);
    health = { ...now, ejections: now.ejections - earlier };
    const memory = await measureParts(deployment, round, health);
    expectAlive(deployment);
    expect(health.requests).toBeGreaterThan(before.requests);
    expect({
      failures: health.failures,
      refusing: health.unhealthy.filter((text) => text.endsWith('refusing')),
    }).toEqual({ failures: 0, refusing: [] });
    await eventually(() => expectHealthy(edge));
    if (number === 1) earlier += health.ejections;
    if (memory.length === 0) continue;
    if (number >= warmRounds && warm.length === 0) warm = memory;
    expectFlat([edge, ...origins], warm, memory);
  }
  client.close();
  process.stdout.write(`all: ${drillRounds * REQUESTS_PER_ROUND} requests, ${countsOf(total)}\n`);
  // Without a failed call only slowness ejects a region. It may come from other work on this machine, or from a new
  // isolate in its first round. The few rounds of `npm test` wait for the end of such an ejection; a drill takes none.
  if (drillRounds > FEW_ROUNDS) expect(health.ejections).toBe(0);
  // The generator reaches every kind of answer, so that a change to it cannot make the drill an empty one. Only a 504
  // depends on the machine: a fast one answers within the callers' shortest deadlines.
  const seen = ['200', '304', '400', '401', '403', '404', '405', '413', '415', '421', '429'].map(
    (status) => `edge ${status}`,
  );
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
    tasks.splice(i * (REQUESTS_PER_HEALTHY + 1), 0, async () => {
      faults.push(...(await findHealthyFaults(deployment.edge, user)));
    });
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

/** Prints the line of the round. */
async function measureParts(
  { edge, origins }: Deployment,
  { number, seed, answers }: Round,
  { failures, ejections }: EdgeHealth,
): Promise<Memory[]> {
  const isMeasured = drillRounds <= 2 * ROUNDS_PER_MEASUREMENT || number % ROUNDS_PER_MEASUREMENT === 0;
  const parts = isMeasured ? [edge, ...origins] : [];
  const memory: Memory[] = [];
  for (const part of parts) memory.push(await measureMemory(part));
  const sizes = memory.map(
    ({ liveBytes, residentBytes }, i) =>
      `; ${parts[i]?.name} ${megabytes(liveBytes)} live, ${megabytes(residentBytes)} resident`,
  );
  process.stdout.write(
    `round ${number}: seed ${seed}, ${REQUESTS_PER_ROUND} requests, ${countsOf(answers)}; ${failures} failed calls, ${ejections} ejections${sizes.join('')}\n`,
  );
  return memory;
}

/** An ejected region is probed beside a read that reaches the regions. */
async function expectHealthy(edge: Part): Promise<void> {
  const { unhealthy, requests } = await readHealth(edge);
  if (unhealthy.length > 0) await readOwn(edge, `without-a-list:${requests}`);
  expect(unhealthy).toEqual([]);
}

/** Nothing starts a part again, so a living process is the first one. */
function expectAlive({ edge, origins }: Deployment): void {
  for (const { pid, name } of [edge, ...origins]) expect(() => process.kill(pid, 0), name).not.toThrow();
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
