// The difference of two manifests, one line per changed value. Variants are named, so their order does not count.
import { formatGeneration, isGeneration } from '../../shared/domain/generation.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

/** Lines that begin with `-` for a value of `from`, and with `+` for one of `to`. Empty without a difference. */
export function diffManifests(from: Manifest, to: Manifest): string[] {
  const [before, after] = [flatten(from), flatten(to)];
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [old, next] = [before.get(path), after.get(path)];
    if (old === next) return [];
    return [...(old === undefined ? [] : [`- ${path}: ${old}`]), ...(next === undefined ? [] : [`+ ${path}: ${next}`])];
  });
}

/** Each value by its path, for example `surfaces.home.control.weight`. */
function flatten({ version: _version, ...manifest }: Manifest): Map<string, string> {
  const values = new Map<string, string>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) {
      values.set(path, describe(value));
      return;
    }
    const entries = Array.isArray(value) ? value.map((each, i) => [nameOf(each, i), each]) : Object.entries(value);
    for (const [name, each] of entries) visit(each, path === '' ? String(name) : `${path}.${name}`);
  };
  visit(manifest, '');
  return values;
}

const nameOf = (member: unknown, index: number): string => {
  const { name, userHash } = (member ?? {}) as { name?: unknown; userHash?: unknown };
  return String(name ?? userHash ?? index);
};

const describe = (value: unknown): string =>
  typeof value === 'number' && isGeneration(value) ? formatGeneration(value) : JSON.stringify(value);
