// Files of the state directory. A file that cannot be used is one error that names it.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';

/** The files hold secrets or process numbers. */
const OWNER_ONLY = 0o600;

/** Undefined without the file. Throws an Error for a file that is not of `schema`, or cannot be read. */
export function readStateFile<T>(path: string, schema: z.ZodType<T>): T | undefined {
  let json: string;
  try {
    json = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, (error as Error).message);
  }
  const parsed = schema.safeParse(parse(path, json));
  if (parsed.success) return parsed.data;
  throw unusable(path, describeIssues(parsed.error));
}

/** Replaces the file at once: no reader sees a part of it. Throws the file system's error. */
export function writeStateFile(path: string, content: unknown): void {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, JSON.stringify(content, null, 2), { mode: OWNER_ONLY });
  renameSync(next, path);
}

function parse(path: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw unusable(path, (error as Error).message);
  }
}

const unusable = (path: string, reason: string): Error =>
  new Error(`expected ${path} to be as \`npm start\` writes it, got ${reason}; remove it`);
