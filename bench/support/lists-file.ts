// Generated files of short lists: five items each, about 190 bytes per line.
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stateDirectory } from '../../ops/cli/settings.ts';
import { encodeItem } from '../../shared/domain/list.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';

const ITEMS = 5;
const LINES_PER_CHUNK = 1000;

export const makeUser = (i: number): string => `listener:${i}`;

export const makeItems = (user: string): string[] =>
  Array.from({ length: ITEMS }, (_, i) => encodeItem(`track:${murmur3(`${user}/${i}`) % 1_000_000}`, `0.${9 - i}`));

/** Path of a file with `count` lists. Generates the file if it is missing. */
export async function writeListsFile(count: number): Promise<string> {
  const directory = join(stateDirectory(), 'bench');
  const path = join(directory, `lists-${count}.ndjson`);
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true });
  await pipeline(Readable.from(chunks(count)), createWriteStream(`${path}.part`));
  renameSync(`${path}.part`, path);
  return path;
}

function* chunks(count: number): Generator<string> {
  for (let start = 0; start < count; start += LINES_PER_CHUNK) {
    let chunk = '';
    for (let i = start; i < Math.min(count, start + LINES_PER_CHUNK); i++) {
      const user = makeUser(i);
      chunk += `{"user":"${user}","items":[${makeItems(user).join(',')}]}\n`;
    }
    yield chunk;
  }
}
