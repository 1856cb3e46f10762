// The bundle uses edge/zod.ts in place of zod, and tests use zod. A missing export of the stand-in would be undefined
// only in the deployed worker.
import { expect, test } from 'vitest';
import * as standIn from '../../edge/zod.ts';

const sources: Record<string, string> = import.meta.glob(['../../edge/**/*.ts', '../../shared/**/*.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
/** Types, which leave nothing in the bundle. */
const TYPES = ['core', 'infer', 'ZodError', 'ZodObject'];

const membersOf = (source: string): string[] =>
  [...source.matchAll(/(?<![\w.])z\s*\.(\w+)/g)]
    .map(([, member]) => member ?? '')
    .filter((name) => !TYPES.includes(name));
const used = new Set(Object.values(sources).flatMap(membersOf));

test.each([...used])('the stand-in for zod has %s, which the worker uses', (member) => {
  expect(standIn).toHaveProperty(member);
  expect(standIn.z).toHaveProperty(member);
});

test('it has nothing that the worker does not use', () => {
  expect(Object.keys(standIn).filter((member) => !used.has(member))).toEqual(['z']);
});
