// The public vectors of assignments hold in workerd, as they do in Node.
import { expect, test } from 'vitest';
import { assign } from '../../../shared/domain/experiments/assign.ts';
import { parseManifest, type Surface } from '../../../shared/domain/manifest.ts';
import vectors from '../../unit/shared/domain/experiments/vectors.json' with { type: 'json' };

test('the vectors for 1 000 users hold', () => {
  const manifest = parseManifest(JSON.stringify(vectors.manifest));
  expect(vectors.users).toHaveLength(1_000);
  for (const { user, country, claims, ...expected } of vectors.users) {
    for (const name of ['home', 'radio'] as const) {
      const attributes = { country: country ?? undefined, claims: claims as Readonly<Record<string, string>> };
      const found = assign(manifest, name, manifest.surfaces[name] as Surface, user, () => attributes);
      expect([user, found.variant.name, found.experiment, found.reason]).toEqual([user, ...expected[name]]);
    }
  }
});
