// Faults of publications, recorded for the alerts in a local cloud: a publication whose command is killed, a cluster
// that gets no changes, and then no cluster at all. In real time, because these alerts compare with times of their own.
import { waitUntil } from '../../dev/processes/wait.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { createRecorder } from '../recordings/record-metrics.ts';
import { spawnNode, type TestCloud } from '../rigs/local-cloud.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { userOf } from '../support/days-of-lists.ts';
import { startCloudOfDays } from './cloud-of-days.ts';

const USERS = 2_000;
const users = Array.from({ length: USERS }, (_, i) => userOf(i));
const SCRAPE_SECONDS = 15;
const HEALTHY_MS = 240_000;
/** From the kill: a stalled publication is told after 300 s, and the alert waits for another minute. */
const FAULTY_MS = 420_000;

/** Records `publishing` into `directory`. */
export async function recordFaultsOfPublishing(cleanup: Cleanup, directory: string): Promise<void> {
  const { cloud, writeNext } = await startCloudOfDays(cleanup, users);
  const regions = cloud.describe().regions;
  const { record } = createRecorder(
    directory,
    Object.fromEntries(regions.map(({ name, metrics = '' }) => [name, metrics])),
  );
  const release = await ingestNext(cloud, await writeNext(1));
  const fault = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await cloud.earshot('fault', ...args);
    if (code !== 0) throw new Error(`expected the fault ${args.join(' ')} to be set, got ${stderr}`);
  };
  const faulty = async (): Promise<void> => {
    await pause(systemClock, HEALTHY_MS);
    await killPublication(cloud, release);
    await fault('replication', '--stop', 'europe');
    // The command fails: one origin does not take the change.
    await cloud.earshot('switch', 'set', 'hedging=off', '--why', 'a change that europe does not get');
    for (const { name } of regions) await fault(`bigtable/${name}`, '--down');
    await pause(systemClock, FAULTY_MS);
  };
  await record('publishing', faulty, { everySeconds: SCRAPE_SECONDS, stepSeconds: SCRAPE_SECONDS });
}

/** Loads the lists of the next day. */
async function ingestNext(cloud: TestCloud, path: string): Promise<string> {
  const moment = formatGeneration(systemClock.now());
  const which = ['--surface', 'home', '--variant', 'control', '--generation', moment];
  const { code, stderr } = await cloud.earshot('ingest', path, ...which);
  if (code !== 0) throw new Error(`expected ${moment} to be loaded, got ${stderr}`);
  return `home/control@${moment}`;
}

/** Kills the command while its canary runs. */
async function killPublication(cloud: TestCloud, release: string): Promise<void> {
  const args = ['ops/earshot.mjs', 'publish', release, '--canary', '10%', '--soak', '30m'];
  const publishing = spawnNode(args, { EARSHOT_STATE_DIR: cloud.stateDirectory });
  const isCanary = async () => (await cloud.earshot('release', 'show', release)).stdout.includes(': canary');
  await waitUntil('the canary', isCanary, systemClock);
  publishing.child.kill('SIGKILL');
  await publishing.exited;
}
