// A local cloud whose `earshot` command runs in the process of the test, one call at a time.
import { startTestCloudWith, type TestCloud } from '../../../bench/rigs/local-cloud.ts';
import { runInProcess } from './command-in-process.ts';

/** Throws an Error with the command's output if the cloud does not start. `args`: of `npm start`. */
export const startTestCloud = (...args: string[]): Promise<TestCloud> => startTestCloudWith(runInProcess, args);
