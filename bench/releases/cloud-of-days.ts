// A local cloud with the lists of a day live, and a directory for the files of the next ones.
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startTestCloud, type TestCloud } from '../rigs/local-cloud.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { ALL_ITEMS, type ListOfUser, linesOn } from '../support/days-of-lists.ts';

export interface CloudOfDays {
  readonly cloud: TestCloud;
  /** Writes the file of a day, and returns its path. `change` returns undefined for a user without a list. */
  writeNext(day: number, change?: (list: ListOfUser) => ListOfUser | undefined): Promise<string>;
}

/** Day 0 of `users` is live on `home/control`. */
export async function startCloudOfDays(cleanup: Cleanup, users: readonly string[]): Promise<CloudOfDays> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-days-'));
  cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
  const write = (path: string, ...of: Parameters<CloudOfDays['writeNext']>): Promise<void> =>
    pipeline(Readable.from(linesOn(users, ...of)), createWriteStream(path));
  await write(join(directory, 'home.control.ndjson'), 0);
  const items = Array.from({ length: ALL_ITEMS }, (_, i) => `{"id":"item:${i}","title":"t"}\n`);
  writeFileSync(join(directory, 'items.ndjson'), items.join(''));
  const cloud = await startTestCloud('--data', directory);
  cleanup.add(async () => {
    await cloud.stop();
  });
  const path = join(directory, 'next.ndjson');
  return {
    cloud,
    writeNext: async (...of) => {
      await write(path, ...of);
      return path;
    },
  };
}
