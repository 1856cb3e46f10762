// Raw list files, to compare with served answers.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Each user's items array in the bytes of the file. */
export function readItemsByUser(path: string): Map<string, string> {
  const text = gunzipSync(readFileSync(path)).toString('utf8');
  return new Map(
    text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, user = '', items = ''] = /^\{"user":"([^"]+)","items":(\[.*\])\}$/.exec(line) ?? [];
        return [user, items];
      }),
  );
}
