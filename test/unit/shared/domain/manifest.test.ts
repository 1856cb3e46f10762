import { describe, expect, test } from 'vitest';
import { toName } from '../../../../shared/domain/ids.ts';
import { EMPTY_MANIFEST, type Manifest, parseManifest } from '../../../../shared/domain/manifest.ts';

const valid: Manifest = {
  version: 17,
  surfaces: {
    home: {
      salt: 'home-1',
      listTtlSeconds: 21_600,
      variants: [
        {
          name: toName('control'),
          weight: 9000,
          current: 1_795_402_800_000,
          previous: 1_795_316_400_000,
          flip: { startsAtMs: 1_795_404_000_000, durationMs: 600_000 },
        },
        { name: toName('knn'), weight: 1000, current: 1_795_402_800_000 },
      ],
    },
  },
  erasures: [{ userHash: '9f2c000000000000', atMs: 1_795_400_000_000 }],
};

/** The valid manifest with the value at `path` replaced, or removed if the value is undefined. */
function changed(path: string, value?: unknown): string {
  const copy: unknown = structuredClone(valid);
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce((node, name) => (node as Record<string, unknown>)[name], copy) as Record<string, unknown>;
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return JSON.stringify(copy);
}

describe('parseManifest', () => {
  test('accepts a manifest with every member, and the empty one', () => {
    expect(parseManifest(JSON.stringify(valid))).toEqual(valid);
    expect(parseManifest(JSON.stringify(EMPTY_MANIFEST))).toEqual(EMPTY_MANIFEST);
  });

  test.each(['extra', 'surfaces.home.extra', 'surfaces.home.variants.0.extra'])(
    'keeps a field at %s that a newer writer may know',
    (path) => {
      expect(JSON.stringify(parseManifest(changed(path, 1)))).toContain('"extra":1');
    },
  );

  test.each<[what: string, json: string, named: RegExp]>([
    ['text that is no JSON', 'hello', /expected the manifest to be JSON, got "hello"/],
    ['no version', changed('version'), /version/],
    ['a version that no writer reaches', changed('version', 2 ** 53 - 1), /version: expected a version of at most/],
    ['more than 256 KiB', changed('extra', 'x'.repeat(262_144)), /at most 262144 bytes, got 26\d{4}/],
    ['more than 256 KiB in few characters', changed('extra', '\u{1f3b5}'.repeat(65_536)), /at most 262144 bytes/],
    ['a fractional version', changed('version', 1.5), /version/],
    ['a surface with a bad name', changed('surfaces.Home!', valid.surfaces.home), /Home!/],
    ['no variants', changed('surfaces.home.variants', []), /variants/],
    ['two variants of one name', changed('surfaces.home.variants.1.name', 'control'), /names to differ/],
    ['a weight above 10 000', changed('surfaces.home.variants.0.weight', 10_001), /weight/],
    [
      'no weight above 0',
      changed('surfaces.home.variants', [{ name: 'a', weight: 0, current: 1_795_402_800_000 }]),
      /above 0/,
    ],
    ['a fractional generation', changed('surfaces.home.variants.0.current', 1.5), /current/],
    ['a flip with nothing to flip from', changed('surfaces.home.variants.0.previous'), /previous/],
    ['an erasure without its hash', changed('erasures.0.userHash', 'x'), /userHash/],
    ['a life time of zero', changed('surfaces.home.listTtlSeconds', 0), /listTtlSeconds/],
  ])('refuses %s and names it', (_what, json, named) => {
    expect(() => parseManifest(json)).toThrow(named);
  });
});
