// Input directory of the local cloud: `surface.variant.ndjson[.gz]` for lists, `items.ndjson[.gz]` for items.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isName } from '../../shared/domain/ids.ts';
import { FULL_WEIGHT } from '../../shared/domain/manifest.ts';

export interface ListFile {
  readonly path: string;
  readonly surface: string;
  readonly variant: string;
  /** Weight in basis points: `control` gets 90 % of a surface, and its other variants share 10 %. */
  readonly weight: number;
}

export interface DataDirectory {
  readonly lists: readonly ListFile[];
  readonly items: readonly string[];
}

/** Throws an Error if the directory cannot be read, has no lists, or has a list file with an invalid name. */
export async function readDataDirectory(directory: string): Promise<DataDirectory> {
  const names = (await listDirectory(directory)).filter((name) => /\.ndjson(\.gz)?$/i.test(name)).sort();
  const isItems = (name: string): boolean => /^items\.ndjson(\.gz)?$/i.test(name);
  const lists = names.filter((name) => !isItems(name)).map((name) => parseName(directory, name));
  if (lists.length === 0) {
    throw new Error(`expected ${directory} to hold files named surface.variant.ndjson or .ndjson.gz, got none`);
  }
  const items = names.filter(isItems).map((name) => join(directory, name));
  return { lists: lists.map((list) => ({ ...list, weight: weightOf(list, lists) })), items };
}

async function listDirectory(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    throw new Error(`expected --data to be a directory that can be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function parseName(directory: string, name: string): Omit<ListFile, 'weight'> {
  const [surface = '', variant = '', ...rest] = name.replace(/\.ndjson(\.gz)?$/i, '').split('.');
  if (rest.length > 0 || !isName(surface) || !isName(variant)) {
    throw new Error(`expected ${join(directory, name)} to be named surface.variant.ndjson or .ndjson.gz`);
  }
  return { path: join(directory, name), surface, variant };
}

const CONTROL_WEIGHT = 9000;

function weightOf({ surface, variant }: Omit<ListFile, 'weight'>, all: readonly Omit<ListFile, 'weight'>[]): number {
  const variants = new Set(all.filter((other) => other.surface === surface).map((other) => other.variant));
  if (variants.size === 1) return FULL_WEIGHT;
  if (!variants.has('control')) return Math.floor(FULL_WEIGHT / variants.size);
  return variant === 'control' ? CONTROL_WEIGHT : Math.floor((FULL_WEIGHT - CONTROL_WEIGHT) / (variants.size - 1));
}
