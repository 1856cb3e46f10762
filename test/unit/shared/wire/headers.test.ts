// The headers that the worker and origins read by the same rules.
import { expect, test } from 'vitest';
import { readDeadlineMs } from '../../../../shared/wire/deadline.ts';
import { refuseBody } from '../../../../shared/wire/json-body.ts';
import { readTraceparent, traceIdOf } from '../../../../shared/wire/traceparent.ts';

test.each([
  [undefined, undefined],
  [null, undefined],
  ['1', 1],
  ['0250', 250],
  ['999999', 999_999],
])('a deadline of %j is %j ms', (header, ms) => {
  expect(readDeadlineMs(header, 'edge')).toBe(ms);
});

test.each(['', 'soon', '-1', '+1', '1.5', '1e3', ' 1', '1, 1', '1000000', '٣', 'x'.repeat(9_000)])(
  'a deadline of %.20j is refused with a short message',
  (header) => {
    let thrown: unknown;
    try {
      readDeadlineMs(header, 'origin');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'invalid_request', source: 'origin' });
    expect((thrown as Error).message).toMatch(/^expected earshot-deadline-ms to be a whole number .*, got "/);
    expect((thrown as Error).message.length).toBeLessThan(180);
  },
);

test.each(['0', '000000'])('a deadline of %s has passed', (header) => {
  expect(() => readDeadlineMs(header, 'edge')).toThrow(expect.objectContaining({ code: 'deadline_exceeded' }));
});

test('a traceparent is read whole or not at all', () => {
  const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  expect(traceIdOf(readTraceparent(valid))).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  for (const header of [
    undefined,
    null,
    '',
    `${valid} `,
    `${valid}-x`,
    valid.toUpperCase(),
    valid.replace('00-', 'ff-'),
  ])
    expect(readTraceparent(header)).toBeUndefined();
});

test.each([
  ['application/json', undefined],
  ['application/json', 'identity'],
  ['Application/JSON; charset=UTF-8', null],
  ['application/json;charset="utf-8"', undefined],
])('a body of %s with coding %s is plain JSON', (type, coding) => {
  expect(refuseBody(type, coding)).toBeUndefined();
});

test.each([
  [undefined, undefined, 'Accept'],
  ['text/plain', undefined, 'Accept'],
  ['application/jsonp', undefined, 'Accept'],
  ['application/json; charset=latin1', undefined, 'Accept'],
  ['application/json, text/plain', undefined, 'Accept'],
  ['application/json', 'gzip', 'Accept-Encoding'],
  ['application/json', 'gzip, identity', 'Accept-Encoding'],
])('a body of %s with coding %s is refused with %s', (type, coding, header) => {
  expect(Object.keys(refuseBody(type, coding)?.headers ?? {})).toEqual([header]);
});
