// The file of a command's rejects. The first of them are shown on standard error, too.
import { join } from 'node:path';
import { stateDirectory } from '../cli/settings.ts';
import { createRejects, findNewFile, type Rejects } from './rejects.ts';

const MAX_SHOWN_REJECTS = 10;

/** Default for `path`: a new file `name` in the state directory. */
export function createRejectFile(path: string | undefined, name: string): Rejects {
  let shown = 0;
  const makePath = (suffix: string): string => join(stateDirectory(), 'rejects', `${name}${suffix}.ndjson`);
  return createRejects(path ?? findNewFile(makePath), ({ file, line, reason }) => {
    if (++shown <= MAX_SHOWN_REJECTS) process.stderr.write(`${file}:${line}: ${reason}\n`);
  });
}
