import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeIssues } from '../../../../shared/domain/describe-issues.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { makeCacheKey } from '../../../../shared/domain/keys.ts';
import {
  type ListQuery,
  listsReadSchema,
  type ParsedListsRead,
  parseListsRead,
} from '../../../../shared/wire/read-request.ts';

const ask: ListQuery = {
  surface: toName('home'),
  variant: toName('control'),
  generation: 1_795_402_800_000,
  user: toUserId('ann'),
};

/** Any JSON value that a hostile caller can send. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Valid and invalid values close to each other. */
const fields = {
  surface: fc.constantFrom<unknown>('home', 'home-2', 'Home', '', 'a/b', 'a'.repeat(33), 7, null, ['home']),
  variant: fc.constantFrom<unknown>('control', '', 'a'.repeat(32), 'x\n', true, {}),
  generation: fc.constantFrom<unknown>(ask.generation, ask.generation + 0.5, 1_795_402_800, 1e300, -1, '0', null),
  user: fc.constantFrom<unknown>('ann', '~popular', '~ann', 'a'.repeat(129), 'a#b', 'ann\n', 0, ['ann']),
  items: fc.constantFrom<unknown>(ask.generation, 1, '0', null),
  coldFor: fc.constantFrom<unknown>(ask.generation, 0.5, '0', null),
  expand: fc.constantFrom<unknown>('items', 'item', null, ['items'], true),
  maxAgeMs: fc.constantFrom<unknown>(0, 60_000, -1, 0.5, 2 ** 53, '0', null),
  isBackground: fc.constantFrom<unknown>(true, false, 0, 'true', null),
  user2: fc.constant<unknown>('bob'),
};

/** A valid plain key with one or two other fields. */
const oddKey = fc
  .record(fields, { requiredKeys: [] })
  .chain((odd) => fc.subarray(Object.keys(odd), { maxLength: 2 }).map((names) => ({ odd, names })))
  .map(({ odd, names }) => ({
    ...ask,
    ...Object.fromEntries(names.map((name) => [name, odd[name as keyof typeof odd]])),
  }));
const anyKey = fc.oneof(oddKey, fc.constantFrom<unknown>(null, 1, 'ann', [], {}, { ...ask, user: undefined }));
const anyBody = fc.oneof(
  { weight: 8, arbitrary: fc.record({ keys: fc.array(anyKey, { maxLength: 3 }) }) },
  fc.constantFrom<unknown>(null, 1, 'keys', [], {}, { keys: null }, { keys: ask }, { keys: [ask], more: 1 }),
  fc.constantFrom<unknown>({ keys: Array(200).fill(ask) }, { keys: Array(201).fill(ask) }),
);

const outcomeOf = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return (error as Error).message;
  }
};

test('accepts the same requests as the schema, refuses single keys, and reports the same errors', () => {
  let taken = 0;
  let refusals = 0;
  const runs = 3000;
  fc.assert(
    fc.property(anyBody.map(asJson), (body) => {
      const outcome = outcomeOf(() => parseListsRead(body));
      const expected = listsReadSchema.safeParse(body);
      if (typeof outcome === 'string') {
        expect(outcome).toBe(expected.error && describeIssues(expected.error));
        return;
      }
      taken++;
      const { queries, refused, refusedFields } = outcome as ParsedListsRead;
      const { keys } = body as { keys: unknown[] };
      const isValid = keys.map((key) => listsReadSchema.safeParse({ keys: [key] }).success);
      expect(refused).toEqual(isValid.flatMap((valid, i) => (valid ? [] : [i])));
      expect(queries).toEqual(keys.filter((_, i) => isValid[i]));
      const paths = expected.error?.issues.slice(0, 5).map(({ path }) => path.join('.'));
      expect(refusedFields?.map((field) => field.split(': ')[0])).toEqual(paths);
      if (refused.length > 0) refusals++;
    }),
    { numRuns: runs, seed: 7 },
  );
  // Otherwise one of the three cases was not tested.
  expect(taken / runs).toBeGreaterThan(0.1);
  expect(taken / runs).toBeLessThan(0.9);
  expect(refusals).toBeGreaterThan(100);
});

test('refused fields are named with the type and the length of their values, and never with a value', () => {
  const secret = 'listener/ann@example.com';
  const keys = [ask, { ...ask, user: secret }, { ...ask, user: [secret], generation: secret }, { ...ask, surface: 7 }];
  const { refusedFields } = parseListsRead({ keys });
  expect(refusedFields).toEqual([
    'keys.1.user: string of 24',
    'keys.2.generation: string of 24',
    'keys.2.user: list of 1',
    'keys.3.surface: number',
  ]);
});

test('inherited property names are unknown members like any other; the last of two equal members counts', () => {
  const text = JSON.stringify(ask);
  for (const more of ['"__proto__":{"expand":"items"}', '"constructor":1', '"toString":1']) {
    const odd = text.replace('{', `{${more},`);
    const { queries, refused } = parseListsRead(JSON.parse(`{"keys":[${odd},${text}]}`));
    expect(refused, more).toEqual([]);
    expect(queries.map((query) => makeCacheKey(query))).toEqual([makeCacheKey(ask), makeCacheKey(ask)]);
  }
  expect(parseListsRead(JSON.parse(`{"keys":[],"keys":[${text}]}`))).toEqual({ queries: [ask], refused: [] });
});
