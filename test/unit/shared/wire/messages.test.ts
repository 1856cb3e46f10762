// Messages between builds: each side reads those of the version before and of the version after its own. The files
// have messages as a build of each version sends them; `next.json` has fields that no build knows yet.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { stringifyManifest } from '../../../../ops/bigtable/manifest-row.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { parseManifest } from '../../../../shared/domain/manifest.ts';
import { chooseList } from '../../../../shared/domain/rollout.ts';
import { encodeUtf8 } from '../../../../shared/runtime/bytes.ts';
import { parseHeartbeat } from '../../../../shared/wire/heartbeat.ts';
import { isFarVersion, MESSAGE_VERSION, readMessageVersion } from '../../../../shared/wire/message-version.ts';
import { parseListsRead } from '../../../../shared/wire/read-request.ts';
import { decodeListFrames, encodeListFrames } from '../../../../shared/wire/read-response.ts';

interface Messages {
  readonly version: number;
  readonly listsRead: string;
  readonly frames: string;
  readonly manifest: string;
  readonly heartbeat?: string;
}

const read = (name: string): Messages =>
  JSON.parse(readFileSync(new URL(`messages/${name}.json`, import.meta.url), 'utf8')) as Messages;

const GENERATION = 1_795_402_800_000;
const key = { surface: 'home', variant: 'control', generation: GENERATION, user: 'ann' };
const all = { 'version-1': 3, 'version-2': 3, 'version-3': 3, next: 4 };

describe.each(Object.entries(all))('messages of %s', (name, frames) => {
  const messages = read(name);

  test('ask for the same lists', () => {
    const { queries, refused } = parseListsRead(JSON.parse(messages.listsRead));
    expect(refused).toEqual([]);
    expect(queries[0]).toMatchObject(key);
    expect(queries.some(({ isBackground }) => isBackground === true)).toBe(true);
  });

  test('answer with the same lists, and an unknown kind fails its own key alone', () => {
    const results = decodeListFrames(encodeUtf8(messages.frames), frames);
    expect(results.slice(0, 3)).toMatchObject([
      { kind: 'list', generation: GENERATION, digest: 'abc' },
      { kind: 'absent', ageMs: 12 },
      { kind: 'error', code: 'overloaded' },
    ]);
    expect(results.slice(3)).toEqual(frames === 4 ? [{ kind: 'error', code: 'internal' }] : []);
  });

  test('name the same live generations', () => {
    const manifest = parseManifest(messages.manifest);
    const surface = manifest.surfaces.home;
    if (surface === undefined) throw new Error('expected the surface home');
    expect(chooseList(surface, 'ann', GENERATION).generation).toBe(GENERATION);
  });
});

test('a read without releases is sent as version 1 sent it, so an origin of that version serves it', () => {
  const sent = { ...key, surface: toName('home'), variant: toName('control'), user: toUserId('ann') };
  const body = JSON.stringify({ keys: [sent, { ...sent, expand: 'items', maxAgeMs: 0, isBackground: true }] });
  expect(body).toBe(read('version-1').listsRead);
});

test('frames are written as they were: a caller of version 1 reads them', () => {
  const { frames } = read('version-1');
  const results = decodeListFrames(encodeUtf8(frames), 3);
  expect(new TextDecoder().decode(encodeListFrames(results))).toBe(frames);
});

test('a manifest of the next build keeps the fields that this one does not know', () => {
  const { manifest } = read('next');
  expect(JSON.parse(stringifyManifest(parseManifest(manifest)))).toEqual(JSON.parse(manifest));
});

test('a heartbeat of the next build is read', () => {
  expect(parseHeartbeat(read('next').heartbeat ?? '')).toMatchObject({ region: 'asia', manifestVersion: 7, later: 1 });
});

test.each([
  [undefined, 1],
  [null, 1],
  ['2', 2],
  ['x', 1],
  ['-3', 1],
  [3, 3],
])('the version %s is %i', (value, version) => expect(readMessageVersion(value)).toBe(version));

test('the neighbours of this version are near', () => {
  expect([0, 1, 2, 3, 4].map((more) => isFarVersion(MESSAGE_VERSION - 2 + more))).toEqual([
    true,
    false,
    false,
    false,
    true,
  ]);
});
