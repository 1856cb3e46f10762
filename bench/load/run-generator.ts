// Runs a load generator in its own process: the order is JSON on its standard input, the report JSON on its output.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** `file` is a file of this folder. Rejects if the generator fails. */
export async function runGenerator(file: string, order: unknown): Promise<unknown> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify(order));
  const text = (await child.stdout.toArray()).join('');
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`expected ${file} to exit with code 0, got ${code}`);
  return JSON.parse(text) as unknown;
}
