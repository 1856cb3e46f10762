import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NODE_ARGS } from '../../../origin/node-args.ts';

test('`npm run origin` starts Node as NODE_ARGS says', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  expect(scripts.origin).toBe(`exec node ${NODE_ARGS.join(' ')} origin/start.mjs`);
});
