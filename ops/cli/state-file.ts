// Files of the state directory. A file that cannot be used is one error that names it.
import {
  closeSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';

/** The files hold secrets, lists of users, or process numbers. Other users of the machine must not read them. */
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/**
 * Creates the directory and those above it, for this user alone. An existing one keeps its mode. Throws the file
 * system's error. Node's own `recursive` never returns where a file system answers that the new directory's parent is
 * missing, as /proc does.
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, OWNER_ONLY_DIRECTORY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(resolve(path));
    if (code !== 'ENOENT' || isDirectory(parent)) throw error;
    makeDirectory(parent);
    mkdirSync(path, OWNER_ONLY_DIRECTORY);
  }
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Opens a file for this user alone, also one that exists with another mode. Throws the file system's error. */
export function openPrivate(path: string, flags: 'w' | 'wx' | 'a' | 'a+'): number {
  const file = openSync(path, flags, OWNER_ONLY);
  // A device such as /dev/null is of all users.
  if (fstatSync(file).isFile()) fchmodSync(file, OWNER_ONLY);
  return file;
}

/** Replaces the contents of a file that only this user can read. Throws the file system's error. */
export function writePrivate(path: string, text: string): void {
  const file = openPrivate(path, 'w');
  try {
    writeFileSync(file, text);
  } finally {
    closeSync(file);
  }
}

/** Undefined without the file. Throws an Error for a file that is not of `schema`, or cannot be read. */
export function readStateFile<T>(path: string, schema: z.ZodType<T>): T | undefined {
  let json: string;
  try {
    json = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR')
      throw new Error(`expected ${dirname(path)} to be a directory for the files of \`npm start\`, got ${message}`);
    throw unusable(path, message);
  }
  const parsed = schema.safeParse(parse(path, json));
  if (parsed.success) return parsed.data;
  throw unusable(path, describeIssues(parsed.error));
}

/** Replaces the file at once: no reader sees a part of it. Throws the file system's error. */
export function writeStateFile(path: string, content: unknown): void {
  const next = `${path}.${process.pid}`;
  writePrivate(next, JSON.stringify(content, null, 2));
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
