// Every command of README that talks to the local cloud, run by a shell in the order of the text. The test replaces
// only the port, and the state directory. documents.test.ts checks that the `npm` commands exist.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCloud, type TestCloud } from '../support/local-cloud.ts';

const repository = join(import.meta.dirname, '../..');

/** The shell commands in the code blocks of a document, without comments. A backslash continues a line. */
function commandsIn(markdown: string): string[] {
  const lines = [...markdown.matchAll(/```(sh|console)\n([\s\S]*?)```/g)].flatMap(([, language, block = '']) => {
    const joined = block.replaceAll(/\\\n\s*/g, '').split('\n');
    return language === 'sh' ? joined : joined.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  });
  return lines.map((line) => line.replace(/\s+#.*$/, '').trim()).filter((line) => /^(npx earshot|curl)\b/.test(line));
}

const commands = commandsIn(readFileSync(join(repository, 'README.md'), 'utf8'));

let cloud: TestCloud;
let bin: string;

beforeAll(async () => {
  cloud = await startTestCloud();
  bin = mkdtempSync(join(tmpdir(), 'earshot-bin-'));
  // `npx earshot` of this checkout, as npm would link it.
  const command = join(repository, 'ops/earshot.mjs');
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${command}' "$@"\n`);
  chmodSync(join(bin, 'npx'), 0o755);
});

afterAll(async () => {
  rmSync(bin, { recursive: true, force: true });
  await cloud.stop();
});

async function runInShell(command: string): Promise<string> {
  const here = command
    .replaceAll('http://127.0.0.1:8787', cloud.edgeUrl)
    .replaceAll('.earshot/', `${cloud.stateDirectory}/`);
  const env = { PATH: `${bin}:${process.env.PATH}`, EARSHOT_STATE_DIR: cloud.stateDirectory };
  const { stdout } = await promisify(execFile)('sh', ['-c', here], { cwd: repository, env });
  return stdout;
}

describe('README', () => {
  test('shows commands to try', () => {
    expect(commands.length).toBeGreaterThanOrEqual(10);
  });

  test.each(commands)('%s', async (command) => {
    const output = await runInShell(command);
    expect(output).not.toBe('');
    if (command.startsWith('curl -i')) expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    if (command.startsWith('curl -X QUERY')) {
      const { results } = JSON.parse(output) as { results: { status: number }[] };
      expect(results.map(({ status }) => status)).toEqual([200, 404]);
    }
  });
});
