import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  findOrUndefined,
  isRetryable,
  makeGrpcError,
  toTableError,
} from '../../../../origin/bigtable/bigtable-error.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';

test.each([
  ['UNAVAILABLE', 'unavailable', true],
  ['ABORTED', 'unavailable', true],
  ['DEADLINE_EXCEEDED', 'deadline_exceeded', true],
  ['CANCELLED', 'deadline_exceeded', true],
  ['RESOURCE_EXHAUSTED', 'overloaded', true],
  ['NOT_FOUND', 'internal', false],
  ['INVALID_ARGUMENT', 'internal', false],
  ['PERMISSION_DENIED', 'internal', false],
  ['FAILED_PRECONDITION', 'internal', false],
  ['UNIMPLEMENTED', 'internal', false],
  ['UNAUTHENTICATED', 'internal', false],
] as const)('%s is %s, and worth another attempt: %s', (name, code, retryable) => {
  const error = makeGrpcError(status[name], 'the reason');
  expect(toTableError(error, 'a call')).toMatchObject({
    code,
    source: 'table',
    retryable,
    cause: error,
    message: 'a call failed: the reason',
  });
  expect(isRetryable(error)).toBe(retryable);
});

test('an error of the family stays as it is', () => {
  const error = new EarshotError('not_found', 'table', 'gone');
  expect(toTableError(error, 'a call')).toBe(error);
});

test('the last attempt is told of, and not all those before it', () => {
  const message =
    'Total timeout exceeded retrying error Error: 14 UNAVAILABLE : Previous errors : [{message: 14},{a\nb}]';
  expect(toTableError(makeGrpcError(4, message), 'recording the load').message).toBe(
    'recording the load failed: Total timeout exceeded retrying error Error: 14 UNAVAILABLE',
  );
});

test('a look-up of what is not there finds nothing, and one that fails says so', async () => {
  expect(await findOrUndefined(Promise.resolve(1))).toBe(1);
  expect(await findOrUndefined(Promise.reject(makeGrpcError(5, 'no such table')))).toBeUndefined();
  await expect(findOrUndefined(Promise.reject(makeGrpcError(7, 'not yours')))).rejects.toThrow('not yours');
});
