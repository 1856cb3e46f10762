// `npm run drill -- NAME [--rounds N]`: runs one long test alone, with more rounds than `npm test`.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const DEFAULT_ROUNDS = 20;
const MAX_ROUNDS = 10_000;
const EXIT_USAGE = 2;

const drills = new Map(
  globSync('test/{simulation,drills}/*.test.ts', { cwd: root }).map((file) => [basename(file, '.test.ts'), file]),
);

function readArguments(): { file: string; rounds: number } | string {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string' } } });
  const [name = ''] = positionals;
  const file = drills.get(name);
  const names = [...drills.keys()].sort().join(', ');
  if (file === undefined || positionals.length !== 1)
    return `expected NAME to be one of ${names}, got ${positionals.join(' ') || 'nothing'}`;
  const rounds = Number(values.rounds ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_ROUNDS)
    return `expected --rounds to be a whole number from 1 to ${MAX_ROUNDS}, got ${values.rounds}`;
  return { file, rounds };
}

const given = readArguments();
if (typeof given === 'string') {
  process.stderr.write(`drill: ${given}\n`);
  process.exitCode = EXIT_USAGE;
} else {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', given.file], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, DRILL_ROUNDS: String(given.rounds) },
  });
  process.exitCode = status ?? 1;
}
