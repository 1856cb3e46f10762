// The root .dev.vars: the cloud of the default state directory writes and removes it, and never changes a person's
// file.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeDevVars, writeDevVars } from '../../../../dev/cloud/dev-vars.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'earshot-test-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const path = (): string => join(root, '.dev.vars');
const place = () => ({ root, stateDirectory: join(root, '.earshot') });
const variables = { ENVIRONMENT: 'local', REGIONS: '[{"name":"asia"}]' };

test('the file has every variable, and only its owner can read it', () => {
  expect(writeDevVars(place(), variables)).toBe('written');
  expect(readFileSync(path(), 'utf8')).toBe(
    '# Written by `npm start`; removed when the local cloud ends.\nENVIRONMENT=\'local\'\nREGIONS=\'[{"name":"asia"}]\'\n',
  );
  expect(statSync(path()).mode & 0o777).toBe(0o600);
});

test('the file of an earlier cloud is replaced, and its mode with it', () => {
  writeDevVars(place(), variables);
  rmSync(path());
  writeFileSync(path(), '# Written by `npm start`; removed when the local cloud ends.\nOLD=1\n', { mode: 0o644 });
  expect(writeDevVars(place(), variables)).toBe('written');
  expect(readFileSync(path(), 'utf8')).not.toContain('OLD');
  expect(statSync(path()).mode & 0o777).toBe(0o600);
});

test('a cloud removes its file when it ends', () => {
  writeDevVars(place(), variables);
  removeDevVars(place());
  expect(existsSync(path())).toBe(false);
  removeDevVars(place());
});

test('a file that a person wrote is neither changed nor removed', () => {
  writeFileSync(path(), 'TOKEN_SECRET=mine\n');
  expect(writeDevVars(place(), variables)).toBe('foreign');
  removeDevVars(place());
  expect(readFileSync(path(), 'utf8')).toBe('TOKEN_SECRET=mine\n');
});

test('a link is a person’s, wherever it leads', () => {
  symlinkSync(join(root, 'elsewhere'), path());
  expect(writeDevVars(place(), variables)).toBe('foreign');
  expect(existsSync(join(root, 'elsewhere'))).toBe(false);
});

test('a cloud with another state directory neither writes nor removes the file', () => {
  const other = { root, stateDirectory: join(root, 'other') };
  expect(writeDevVars(other, variables)).toBe('none');
  expect(existsSync(path())).toBe(false);
  writeDevVars(place(), variables);
  removeDevVars(other);
  expect(existsSync(path())).toBe(true);
});

test('the cache of an earlier cloud is removed, and no other state of wrangler', () => {
  const state = join(root, '.wrangler/state/v3');
  for (const name of ['cache', 'do']) mkdirSync(join(state, name), { recursive: true });
  writeDevVars(place(), variables);
  expect([existsSync(join(state, 'cache')), existsSync(join(state, 'do'))]).toEqual([false, true]);
});

test('a value that single quotes cannot hold is refused, without the value', () => {
  const write = () => writeDevVars(place(), { TOKEN_SECRET: "it's" });
  expect(write).toThrow('expected TOKEN_SECRET to be one line without single quotes, got 4 characters');
});
