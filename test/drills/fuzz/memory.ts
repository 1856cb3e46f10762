// Memory of a part: live bytes after a garbage collection, and the resident set of its process.
import { readFileSync } from 'node:fs';
import { measureLiveBytes } from '../../../bench/rigs/inspector.ts';
import type { Part } from './deployment.ts';

export interface Memory {
  readonly liveBytes: number;
  readonly residentBytes: number;
}

export async function measureMemory({ pid, port, inspector, healthPath }: Part): Promise<Memory> {
  const use = async (): Promise<void> => {
    await (await fetch(`http://127.0.0.1:${port}${healthPath}`)).arrayBuffer();
  };
  const liveBytes = await measureLiveBytes(inspector, use);
  return { liveBytes, residentBytes: residentBytesOf(pid) };
}

/** Linux only: it reads /proc. */
function residentBytesOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

const MAX_GROWTH = 1.15;
const MAX_GROWTH_BYTES = 20_000_000;

/** Memory that may be in use after `before` without counting as growth. */
export const boundOf = (before: number): number => MAX_GROWTH * before + MAX_GROWTH_BYTES;
