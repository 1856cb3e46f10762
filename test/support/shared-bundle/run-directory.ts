// A directory of this run of the tests, for what its files share. It ends with the run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    runDirectory: string;
  }
}

export default function setUp({ provide }: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-run-'));
  provide('runDirectory', directory);
  return () => rmSync(directory, { recursive: true, force: true });
}
