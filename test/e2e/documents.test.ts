// Every command in a code block of README and the documents, read by a shell in the order of the text, against one
// local cloud per document. The test replaces only ports and the state directory.
import { execFile } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';

const repository = join(import.meta.dirname, '../..');

/** The shell commands in the code blocks of a document, without comments. A backslash continues a line. */
function allCommandsIn(path: string): string[] {
  const markdown = readFileSync(join(repository, path), 'utf8');
  const lines = [...markdown.matchAll(/```(sh|console)\n([\s\S]*?)```/g)].flatMap(([, language, block = '']) => {
    const joined = block.replaceAll(/\\\n\s*/g, '').split('\n');
    return language === 'sh' ? joined : joined.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  });
  return lines.map((line) => line.replace(/\s+#.*$/, '').trim()).filter((line) => line !== '');
}

/** The documents with commands against a local cloud. */
const DOCUMENTS = ['README.md', 'docs/operations.md', 'docs/releases.md', 'docs/experiments.md'];

/** Other commands in code blocks, by their beginning, with the reason for which this test does not run them. */
const ELSEWHERE: readonly (readonly [command: string, reason: string])[] = [
  ['npm ci && npm start', 'local-cloud.test.ts'],
  ['npm ci && npm test', 'this run'],
  ['npx wrangler secret put', 'needs an account'],
  ['npx wrangler deploy --env', 'needs an account; deploy:check runs it without an upload'],
  ['gcloud bigtable', 'needs an account; test/commands/support/backups.ts makes the same calls, for the drill restore'],
  ['npx earshot recovery', 'recovery-command.test.ts and the drill restore'],
  ['npx earshot schema apply --instance recs-2', 'recovery-command.test.ts'],
  ['docker build', 'needs an engine; contracts/deploy runs the steps of the Dockerfile'],
  ['docker run', 'needs an engine; contracts/deploy starts the same file system'],
  ['npm start -- --cors', 'examples.test.ts'],
  ['npx node examples/', 'examples.test.ts'],
  ['EARSHOT_TOKEN=', 'examples.test.ts'],
];

let bin: string;
beforeAll(() => {
  bin = mkdtempSync(join(tmpdir(), 'earshot-bin-'));
  // `npx earshot` of this checkout, as npm would link it.
  const command = join(repository, 'ops/earshot.mjs');
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${command}' "$@"\n`);
  chmodSync(join(bin, 'npx'), 0o755);
});
afterAll(() => rmSync(bin, { recursive: true, force: true }));

/** The output of a command that a shell reads. `earshot` alone then runs in this process. */
async function runAsShown(cloud: TestCloud, command: string): Promise<string> {
  const here = command
    .replaceAll('http://127.0.0.1:8787', cloud.edgeUrl)
    .replaceAll('.earshot/', `${cloud.stateDirectory}/`);
  const env = { EARSHOT_STATE_DIR: cloud.stateDirectory };
  if (!/^npx earshot [^|&;<>]+$/.test(here)) return runInShell(here, { PATH: `${bin}:${process.env.PATH}`, ...env });
  const words = await runInShell(`npx() { shift; printf '%s\\0' "$@"; }\n${here}`, { PATH: process.env.PATH });
  const { code, stdout, stderr } = await runInProcess(words.split('\0').slice(0, -1), env);
  expect(code, stderr).toBe(0);
  return stdout;
}

async function runInShell(script: string, env: NodeJS.ProcessEnv): Promise<string> {
  return (await promisify(execFile)('sh', ['-c', script], { cwd: repository, env })).stdout;
}

describe.each(DOCUMENTS)('%s', (path) => {
  const commands = allCommandsIn(path).filter((line) => /^(npx earshot|curl)\b/.test(line));
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await startTestCloud();
  });
  afterAll(async () => {
    await cloud.stop();
  });

  test('shows commands to try', () => {
    expect(commands.length).toBeGreaterThanOrEqual(4);
  });

  test.each(commands)('%s', async (command) => {
    const output = await runAsShown(cloud, command);
    expect(output).not.toBe('');
    if (command.startsWith('curl -i')) expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    if (command.startsWith('curl -X QUERY')) {
      const { results } = JSON.parse(output) as { results: { status: number }[] };
      expect(results.map(({ status }) => status)).toEqual([200, 404]);
    }
  });
});

test('the worker is bundled as the configuration document shows', async () => {
  const [command = ''] = allCommandsIn('docs/configuration.md').filter((line) => line.includes('--dry-run'));
  expect(await runInShell(command, process.env)).toContain('--dry-run: exiting now.');
});

test('every other command in a code block is run by another test, or cannot run here', () => {
  const documents = globSync(['*.md', 'docs/*.md', 'examples/*.md'], { cwd: repository });
  const others = documents
    .flatMap((path) => allCommandsIn(path).map((command) => ({ path, command })))
    .filter(({ path, command }) => !(DOCUMENTS.includes(path) && /^(npx earshot|curl)\b/.test(command)))
    .filter(({ command }) => !command.includes('--dry-run'))
    .filter(({ command }) => !ELSEWHERE.some(([start]) => command.startsWith(start)));
  expect(others).toEqual([]);
});
