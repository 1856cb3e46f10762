import { expect, test } from 'vitest';
import { EarshotError, problemOf, toEarshotError } from '../../../../shared/wire/errors.ts';

test('an error outside the family becomes internal and keeps its cause', () => {
  const cause = new TypeError('x is not a function');
  const error = toEarshotError(cause, 'edge');
  expect(error).toMatchObject({ code: 'internal', source: 'edge', retryable: false, cause });
  expect(problemOf(error.code).title).not.toContain('function');
});

test('an error of the family is unchanged', () => {
  const error = new EarshotError('overloaded', 'origin', 'the queue is full');
  expect(toEarshotError(error, 'edge')).toBe(error);
  expect(error.retryable).toBe(true);
});
