// The change of the manifest by a surface's own bounds of checks: a pure function, so a dry run can show it.
import type { Manifest } from '../../shared/domain/manifest.ts';
import { UsageError } from '../cli/usage-error.ts';
import { CHECK_NAMES, CHECKS } from '../release/checks/all.ts';

/** A bound by the name of its check; undefined for the default. */
export type Bounds = ReadonlyMap<string, number | undefined>;

const DEFAULT = 'default';

/** Parses `users=0.5 overlap=default`. Throws a UsageError. */
export function parseBounds(pairs: readonly string[]): Bounds {
  const bounds = new Map<string, number | undefined>();
  for (const pair of pairs) {
    const [, name = '', text = ''] = /^([^=]+)=(default|\d{1,7}(?:\.\d{1,6})?)$/.exec(pair) ?? [];
    if (name === '')
      throw new UsageError(`expected check=bound with a number or ${DEFAULT}, got ${JSON.stringify(pair)}`);
    if (bounds.has(name)) throw new UsageError(`expected each check once, got ${name} twice`);
    bounds.set(name, parseBound(name, text));
  }
  return bounds;
}

function parseBound(name: string, text: string): number | undefined {
  const check = CHECKS.find((each) => each.name === name);
  // The bound of a check that is gone can be removed.
  if (text === DEFAULT) return undefined;
  if (check === undefined)
    throw new UsageError(`expected a check: one of ${CHECK_NAMES.join(', ')}, got ${JSON.stringify(name)}`);
  const [least, most] = check.range;
  const bound = Number(text);
  if (bound < least || bound > most)
    throw new UsageError(`expected the bound of ${name} to be from ${least} to ${most}, got ${text}`);
  return bound;
}

/** The same object if nothing changes. Throws an Error for an unknown surface. */
export function setChecks(manifest: Manifest, name: string, bounds: Bounds): Manifest {
  const surface = Object.hasOwn(manifest.surfaces, name) ? manifest.surfaces[name] : undefined;
  if (surface === undefined) {
    const names = Object.keys(manifest.surfaces);
    throw new Error(
      `expected a live surface, got ${name} (${names.length === 0 ? 'nothing is' : `live are ${names.join(', ')}`})`,
    );
  }
  const { checks: before = {}, ...rest } = surface;
  const merged = Object.entries({ ...before, ...Object.fromEntries(bounds) });
  const checks = Object.fromEntries(merged.flatMap(([check, bound]) => (bound === undefined ? [] : [[check, bound]])));
  if (isSame(before, checks)) return manifest;
  const next = Object.keys(checks).length === 0 ? rest : { ...rest, checks };
  return { ...manifest, surfaces: { ...manifest.surfaces, [name]: next } };
}

const isSame = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, bound]) => b[name] === bound);
