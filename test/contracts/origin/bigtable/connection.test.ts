import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connectBigtable } from '../../../../origin/bigtable/connection.ts';
import { readRows, rowsOf } from '../../../../origin/bigtable/read-rows.ts';

/** A path without a file, named by the environment as the credentials. */
function nameCredentials(): string {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-credentials-'));
  const path = join(directory, 'credentials.json');
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  });
  return path;
}

const connect = () => {
  const bigtable = connectBigtable({ project: 'contract', instance: 'recs' });
  onTestFinished(() => bigtable.close());
  return bigtable;
};

test.each(['data', 'tableAdmin', 'instanceAdmin'] as const)(
  'credentials that cannot be loaded are an error of who asked for %s, and what asks later loads them',
  async (client) => {
    const path = nameCredentials();
    const bigtable = connect();
    const missing = {
      source: 'table',
      code: 'internal',
      message: expect.stringMatching(`^no client of Bigtable: .*${path} does not exist`),
    };
    await expect(Promise.allSettled([bigtable[client](), bigtable[client]()])).resolves.toEqual([
      { status: 'rejected', reason: expect.objectContaining(missing) },
      { status: 'rejected', reason: expect.objectContaining(missing) },
    ]);

    writeFileSync(
      path,
      JSON.stringify({ type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'token' }),
    );
    const opened = await bigtable[client]();
    expect(await bigtable[client]()).toBe(opened);
  },
);

test('a read without credentials fails as a read', async () => {
  nameCredentials();
  const call = { table: 'control', appProfile: 'control', rows: rowsOf(['m']), filter: {}, timeoutMs: 1000 };
  await expect(readRows(connect(), call)).rejects.toMatchObject({ source: 'table', code: 'internal' });
});
