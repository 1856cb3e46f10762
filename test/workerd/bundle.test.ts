// The worker is bundled with edge/zod.ts in the place of zod, while tests run on zod itself: what the stand-in lacks
// would only fail once deployed, as a member that is undefined.
import { expect, test } from 'vitest';
import * as standIn from '../../edge/zod.ts';

const sources: Record<string, string> = import.meta.glob(['../../edge/**/*.ts', '../../shared/**/*.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
/** Types, of which nothing is left in the bundle. */
const TYPES = ['core', 'infer', 'ZodError'];

const membersOf = (source: string): string[] =>
  [...source.matchAll(/(?<![\w.])z\.(\w+)/g)].map(([, member]) => member ?? '').filter((name) => !TYPES.includes(name));
const used = new Set(Object.values(sources).flatMap(membersOf));

test.each([...used])('the stand-in for zod has %s, which the worker uses', (member) => {
  expect(standIn).toHaveProperty(member);
  expect(standIn.z).toHaveProperty(member);
});

test('it has nothing that the worker does not use', () => {
  expect(Object.keys(standIn).filter((member) => !used.has(member))).toEqual(['z']);
});
