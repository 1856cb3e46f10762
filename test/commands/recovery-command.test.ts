// `earshot recovery`: a backup is restored into another instance. Erasures of after the backup are replayed before the
// instance is served, and its manifest is above every version of before.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readBlocked } from '../../ops/effects/block-changes.ts';
import { readStored } from '../../ops/effects/documents.ts';
import { listErasures } from '../../ops/effects/erasure-record.ts';
import { toSegment } from '../../ops/effects/erasure-segments.ts';
import { readKeepOut } from '../../ops/effects/keep-out.ts';
import { findRows } from '../../ops/effects/user-rows.ts';
import type { RecoveryFile } from '../../ops/recovery/recovery-file.ts';
import { toUserId } from '../../shared/domain/ids.ts';
import { userHashOf } from '../../shared/domain/keys.ts';
import { controlOf, MONDAY, manifestOf, publishManifest, writeManifestCell } from '../contracts/origin/instance.ts';
import { eventually } from '../support/waiting.ts';
import { backUpTables, restoreTables } from './support/backups.ts';
import { createCommandInstances, home, lines, messageOf } from './support/command-instances.ts';

const { startServer, makeEmptyInstance, makeLiveInstance } = createCommandInstances({ inProcess: true });
const HASH_KEY = 'a-hash-key-for-tests-only-0123456789';
const WHY = ['--why', 'a test'];
const CLUSTERS = ['--clusters', 'asia=asia,europe=europe,us=us'];
const REGIONS = ['asia', 'europe', 'us'];
const USERS = 6;
const [early, late, hidden, keptOut, ...others] = Array.from({ length: USERS }, (_, i) => toUserId(`u:${i + 1}`));
type User = ReturnType<typeof toUserId>;

/** An instance with six users, a backup, and a day after it that the backup lacks; restored into another instance. */
async function loseInstance() {
  const server = await startServer();
  const lost = await makeLiveInstance(server);
  const file = join(lost.directory, 'recovery.json');
  Object.assign(lost.env, { EARSHOT_HASH_KEY: HASH_KEY, EARSHOT_RECOVERY_FILE: file });
  const run = async (...args: string[]) => {
    const result = await lost.earshot(...args);
    expect(result, args.join(' ')).toMatchObject({ code: 0 });
  };
  const path = lost.file('users.ndjson', lines(1, USERS));
  await run('ingest', path, ...home(), '--generation', String(MONDAY + 1000));
  await run('erase', early as User, ...WHY);
  // The early user is back by a load: an erasure of before the backup is not replayed.
  await run('ingest', path, ...home(), '--generation', String(MONDAY + 2000));
  const [{ finalMs = 0 } = {}] = await listErasures(controlOf(lost.bigtable));
  await eventually(() => expect(Date.now()).toBeGreaterThan(finalMs));
  await backUpTables(lost.bigtable, 'b');
  await run('erase', late as User, ...WHY);
  await run('erase', keptOut as User, '--keep-out', ...WHY);
  server.setFault('europe', { down: true });
  expect(await lost.earshot('erase', hidden as User, '--wait', '1s', ...WHY)).toMatchObject({ code: 1 });
  server.setFault('europe', {});
  await run('block', 'item', 'artist:1', ...WHY);
  await run('recovery', 'save', file);

  const restored = makeEmptyInstance(server);
  Object.assign(restored.env, { EARSHOT_HASH_KEY: HASH_KEY });
  await restoreTables(lost.bigtable, 'b', restored.bigtable);
  expect(await restored.earshot('schema', 'apply', ...CLUSTERS)).toMatchObject({ code: 0 });
  return { server, lost, restored, file };
}

describe('a restored instance', () => {
  let all: Awaited<ReturnType<typeof loseInstance>>;
  beforeAll(async () => {
    all = await loseInstance();
  }, 120_000);

  test('is refused by origins and by commands before it is adopted', async () => {
    const { restored } = all;
    const reason = /the manifest is of the instance recs-1, and recs-2 was restored from its backup/;
    await expect(restored.live()).rejects.toThrow(reason);
    for (const call of [
      ['manifest', 'show'],
      ['manifest', 'restore', '1', ...WHY],
      ['weight', 'home', 'control=1'],
      ['block', 'item', 'artist:2', ...WHY],
    ])
      expect(messageOf(await restored.earshot(...call))).toMatchObject({
        code: 1,
        message: expect.stringMatching(reason),
      });
  });

  test('is not adopted while erasures may be unknown', async () => {
    const { restored, file } = all;
    const apply = (...args: string[]) => restored.earshot('recovery', 'apply', file, ...WHY, ...args);
    expect(messageOf(await apply()).message).toMatch(/no origin tells the erasures after .*, when the file was saved/);
    const saved = JSON.parse(readFileSync(file, 'utf8')) as RecoveryFile;
    const old = restored.file('old.json', JSON.stringify({ ...saved, savedAtMs: saved.savedAtMs - 3_600_000 }));
    const before = await restored.earshot('recovery', 'apply', old, ...WHY, '--without-origins');
    expect(messageOf(before).message).toMatch(/expected a recovery file from after the backup/);
    const otherKey = restored.file('key.json', JSON.stringify({ ...saved, keyCheck: 'another' }));
    const key = await restored.earshot('recovery', 'apply', otherKey, ...WHY, '--without-origins');
    expect(messageOf(key).message).toMatch(/expected EARSHOT_HASH_KEY to be the key of the file/);
  });

  test('a dry run tells what would be deleted, and writes nothing', async () => {
    const { restored, file } = all;
    const rows = await restored.earshot('recovery', 'apply', file, ...WHY, '--without-origins', '--dry-run');
    expect(rows.stdout).toMatch(/7 rows of lists, 3 of users that were erased since\n/);
    await expect(restored.live()).rejects.toThrow(/restored from its backup/);
  });

  test('is not adopted while a cluster does not answer', async () => {
    const { server, restored, file } = all;
    server.setFault('us', { down: true });
    const result = await restored.earshot('recovery', 'apply', file, ...WHY, '--without-origins', '--wait', '1s');
    server.setFault('us', {});
    expect(messageOf(result).message).toMatch(/us still has rows .*: the instance is not adopted/);
    await expect(restored.live()).rejects.toThrow(/restored from its backup/);
  });

  test('has nothing of users that were erased after the backup, and everything else', async () => {
    const { lost, restored, file } = all;
    const { manifest: before } = await lost.live();
    const result = await restored.earshot('recovery', 'apply', file, ...WHY, '--without-origins');
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(result.stdout).toMatch(/next: restart the origins with EARSHOT_INSTANCE=recs-2/);
    const control = controlOf(restored.bigtable);
    for (const region of REGIONS) {
      expect(await findRows(control, region, [late, hidden, keptOut] as User[])).toEqual([]);
      expect(await findRows(control, region, [early as User, ...others])).toHaveLength(USERS - 3);
    }
    const { manifest } = await restored.live();
    expect(manifest.version).toBe(before.version + 100_000);
    const [name = ''] = manifest.documents?.erasures ?? [];
    const moments = toSegment(await readStored(control, { kind: 'erasures', version: name }, undefined));
    for (const user of [early, late, hidden, keptOut] as User[])
      expect(moments.get(userHashOf(user)) ?? null).not.toBeNull();
    expect([...(await readBlocked(control, {})).keys()]).toEqual(['artist:1']);
    expect((await readKeepOut(control)).size).toBe(1);
    const states = (await listErasures(control)).map(({ state }) => state);
    expect(states).toEqual(['done', 'done', 'done', 'done']);
    expect((await restored.earshot('erase', '--resume')).stdout).toBe('no erasure is open\n');
  });

  test('is adopted once', async () => {
    const { restored, file } = all;
    const result = await restored.earshot('recovery', 'apply', file, ...WHY, '--without-origins');
    expect(messageOf(result).message).toMatch(/this instance was adopted as version \d+/);
  });

  test('takes changes afterwards as any other', async () => {
    const { restored } = all;
    expect(await restored.earshot('unblock', 'item', 'artist:1')).toMatchObject({ code: 0 });
    expect(await restored.earshot('manifest', 'show')).toMatchObject({ code: 0 });
  });
});

test('an erasure saves the file at its begin and its end, without ids, for its owner alone', async () => {
  const instance = await makeLiveInstance(await startServer());
  const file = join(instance.directory, 'recovery.json');
  Object.assign(instance.env, { EARSHOT_HASH_KEY: HASH_KEY, EARSHOT_RECOVERY_FILE: file });
  expect(await instance.earshot('erase', 'u:one', ...WHY)).toMatchObject({ code: 0 });
  const text = readFileSync(file, 'utf8');
  expect(text).not.toContain('u:one');
  expect((JSON.parse(text) as RecoveryFile).erasures).toMatchObject([{ state: 'done', users: 1 }]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  // No user is hidden while the record cannot be kept elsewhere.
  Object.assign(instance.env, { EARSHOT_RECOVERY_FILE: join(instance.directory, 'missing/recovery.json') });
  const before = await instance.live();
  expect(messageOf(await instance.earshot('erase', 'u:two', ...WHY)).message).toMatch(/expected .* to be writable/);
  expect(await instance.live()).toEqual(before);
});

test('an instance that was never restored is refused, and so is a file of another form', async () => {
  const instance = await makeLiveInstance(await startServer());
  Object.assign(instance.env, { EARSHOT_HASH_KEY: HASH_KEY });
  const file = join(instance.directory, 'recovery.json');
  expect(await instance.earshot('recovery', 'save', file)).toMatchObject({ code: 0 });
  const apply = (path: string) => instance.earshot('recovery', 'apply', path, ...WHY, '--without-origins');
  expect(messageOf(await apply(file)).message).toMatch(
    /expected tables that were restored from backups, got others: recommendations, items, control.*--taken-at/,
  );
  expect(messageOf(await apply(instance.file('other.json', '{"format":2}'))).message).toMatch(
    /expected .*other.json to be a file of `npx earshot recovery save`, got another/,
  );
  expect(messageOf(await apply(join(instance.directory, 'none.json'))).message).toMatch(/to be readable: ENOENT/);
});

test('a manifest that an earlier build has written is of every instance', async () => {
  const instance = await makeLiveInstance(await startServer());
  await publishManifest(instance.bigtable, manifestOf(2), MONDAY + 1);
  await writeManifestCell(instance.bigtable, JSON.stringify(manifestOf(3)), MONDAY + 2);
  expect((await instance.live()).manifest.version).toBe(3);
});
