// Start-up of the `earshot` command: each call is a process, in pairs with `node -e 0`. CPU time is of the process and
// its children.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cpuTimeMs } from './support/cpu-time.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';

const PAIRS = 11;
const CALLS_PER_SIDE = 3;
const CALLS: readonly (readonly string[])[] = [
  ['--help'],
  ['token', '--help'],
  ['status', '--help'],
  ['fault', '--help'],
  ['publish', '--help'],
];

const repository = join(import.meta.dirname, '..');
const earshot = join(repository, 'ops/earshot.mjs');

export async function benchStartUp(): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const lines: string[] = [];
  const direct = CALLS.map((args) => ({ args, command: [process.execPath, '--max-semi-space-size=4', earshot] }));
  for (const { args, command } of [...direct, { args: ['--help'], command: ['npx', 'earshot'] }]) {
    const call = [...command, ...args];
    // The first call may fill the compile cache.
    measure(call);
    const pairs = Array.from({ length: PAIRS }, () => ({
      bare: measure([process.execPath, '-e', '0']),
      call: measure(call),
    }));
    const name = `${command[0] === 'npx' ? 'npx ' : ''}earshot ${args.join(' ')}`;
    const ratio = median(pairs.map((pair) => pair.call.cpuMs / pair.bare.cpuMs));
    const cpuMs = median(pairs.map((pair) => pair.call.cpuMs));
    const wallMs = median(pairs.map((pair) => pair.call.wallMs));
    const key = name.replaceAll(/[^a-z]+(.)/g, (_, letter: string) => letter.toUpperCase());
    figures[`${key}VsNode`] = Number(ratio.toFixed(2));
    figures[`${key}CpuMs`] = Math.round(cpuMs);
    const times = `${cpuMs.toFixed(0)} ms of CPU, ${wallMs.toFixed(0)} ms`;
    lines.push(`${name}: ${ratio.toFixed(2)} times the CPU of \`node -e 0\`, ${times}`);
  }
  return { report: `${lines.join('\n')}\n(medians of ${PAIRS} pairs of ${CALLS_PER_SIDE} calls)`, figures };
}

/** Means of CALLS_PER_SIDE calls, one after the other. Throws an Error if a call fails. */
function measure([command = '', ...args]: readonly string[]): { cpuMs: number; wallMs: number } {
  const childrenBefore = childrenCpuMs();
  const startedAtMs = performance.now();
  for (let i = 0; i < CALLS_PER_SIDE; i += 1) {
    const { status, stderr } = spawnSync(command, args, { cwd: repository, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${status}: ${stderr}`);
  }
  const wallMs = (performance.now() - startedAtMs) / CALLS_PER_SIDE;
  return { cpuMs: (childrenCpuMs() - childrenBefore) / CALLS_PER_SIDE, wallMs };
}

/** CPU time of the waited-for children, in steps of 10 ms. */
function childrenCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return cpuTimeMs(process.pid) - (user + system) / 1000;
}
