// A real instance behind the local cloud: a check that this machine can use it, before anything starts.
import { connectBigtable } from '../../origin/bigtable/connection.ts';
import type { Backend } from '../backend.ts';

const TIMEOUT_MS = 15_000;

/** Throws an Error with the reason if the instance does not answer in time. */
export async function requireReachable(backend: Backend): Promise<void> {
  const bigtable = connectBigtable(backend);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const inTime = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
  });
  const check = async (): Promise<void> => {
    const admin = await bigtable.instanceAdmin();
    await admin.getInstance({ name: bigtable.instanceName }, { timeout: TIMEOUT_MS, retry: null });
  };
  try {
    await Promise.race([check(), inTime]);
  } catch (error) {
    const name = `${backend.project}/${backend.instance}`;
    throw new Error(`cannot use ${name} of --real: ${(error as Error).message}`, { cause: error });
  } finally {
    await bigtable.close();
  }
}
