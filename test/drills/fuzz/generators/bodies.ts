// Bodies of batches and of `lists:read`: valid ones, members of every type, broken JSON and broken bytes.
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { MONDAY } from '../../../contracts/origin/instance.ts';
import { anySurface, anyUser, anyVariant, jsonText, knownUser } from './texts.ts';

export const GENERATION = MONDAY;

type Body = string | Buffer;
type Member = readonly [name: string, json: string];

const toJson = (members: readonly Member[]): string =>
  `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;

const text = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Member> =>
  value.map((each) => [name, JSON.stringify(each)] as const);
const json = (name: string, ...values: string[]): fc.Arbitrary<Member> =>
  fc.constantFrom(...values).map((each) => [name, each] as const);

const readOptions: fc.Arbitrary<Member> = fc.oneof(
  json('limit', '1', '2', '50', '100', '101', '0', '-1', '1.5', '1e2', '"2"', 'null', '1e999'),
  json('fallback', '"popular"', '"none"', '"x"', 'null', '1'),
  text('variant', anyVariant),
  json('expand', '"items"', '"all"', 'true'),
  fc.tuple(fc.constantFrom('user', 'surface', 'x', '__proto__', 'constructor', 'Limit'), jsonText),
);

const keyOptions: fc.Arbitrary<Member> = fc.oneof(
  json('expand', '"items"', '"items"', '"all"', 'null'),
  json('maxAgeMs', '0', '1', '60000', '-1', '1.5', '9007199254740993', '"1"', '1e999'),
  json('isBackground', 'true', 'false', '0', 'null'),
  json('generation', '0', '-1', '1704078000000.5', '1e999', '9007199254740991', '"1704078000000"', 'null', '1'),
  fc.tuple(fc.constantFrom('user', 'surface', 'variant', 'x', '__proto__', 'toString'), jsonText),
);

/** Odd members follow the valid ones, so that they win where a name stands twice. */
const withOdd = (valid: fc.Arbitrary<Member[]>, odd: fc.Arbitrary<Member>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: valid.map(toJson) },
    { weight: 3, arbitrary: fc.tuple(valid, fc.array(odd, { maxLength: 3 })).map(([a, b]) => toJson([...a, ...b])) },
    { weight: 1, arbitrary: jsonText },
  );

const user = fc.oneof({ weight: 3, arbitrary: knownUser }, { weight: 1, arbitrary: anyUser });
const read = withOdd(fc.tuple(text('user', user), text('surface', anySurface)), readOptions);
const key = withOdd(
  fc.tuple(
    text('user', user),
    text('surface', anySurface),
    text('variant', fc.constant('control')),
    json('generation', String(GENERATION)),
  ),
  keyOptions,
);

/** `{"NAME":[...]}` with one to a few elements, now and then with about as many as are allowed, or more. */
function listOf(name: string, element: fc.Arbitrary<string>, max: number): fc.Arbitrary<string> {
  const few = fc.array(element, { minLength: 1, maxLength: 5 });
  const many = fc
    .tuple(few, fc.constantFrom(max - 1, max, max + 1, 3 * max))
    .map(([some, count]) => Array.from({ length: count }, (_, i) => some[i % some.length] ?? ''));
  const elements = fc.oneof({ weight: 12, arbitrary: few }, { weight: 1, arbitrary: many });
  return elements.map((all) => `{"${name}":[${all.join(',')}]}`);
}

const FORMS = [
  'plain',
  'cut',
  'bom',
  'utf8',
  'utf16',
  'gzip',
  'twice',
  'after',
  'padded',
  'spaces',
  'nul',
  'overlong',
] as const;

function deform(body: string, form: (typeof FORMS)[number], at: number): Body {
  const bytes = Buffer.from(body);
  const place = at % Math.max(1, bytes.length);
  const insert = (...values: number[]) =>
    Buffer.concat([bytes.subarray(0, place), Buffer.from(values), bytes.subarray(place)]);
  switch (form) {
    case 'plain':
      return body;
    case 'cut':
      return bytes.subarray(0, place);
    case 'bom':
      return `\ufeff${body}`;
    case 'utf8':
      return insert(0xff, 0xfe);
    case 'overlong':
      return insert(0xc0, 0xaf);
    case 'nul':
      return insert(0);
    case 'utf16':
      return Buffer.from(body, 'utf16le');
    case 'gzip':
      return gzipSync(body);
    case 'twice':
      return `${body}${body}`;
    case 'after':
      return `${body.slice(0, -1)},"other":[]}`;
    case 'padded':
      return `${body}${' '.repeat(140_000)}`;
    case 'spaces':
      return body.replaceAll(',', ' ,\n\t');
  }
}

const WHOLE_BODIES = [
  '',
  '{}',
  '[]',
  'null',
  '{"reads":[]}',
  '{"keys":[]}',
  '{"reads":{}}',
  '{"keys":{"length":1}}',
  '{"reads":null}',
];
const NESTED = 30_000;
const DEEP = ['[', '{"reads":', '{"keys":['].map((open) => open.repeat(NESTED / open.length));

const bodies = (valid: fc.Arbitrary<string>): fc.Arbitrary<Body> =>
  fc.oneof(
    { weight: 8, arbitrary: valid },
    { weight: 3, arbitrary: fc.tuple(valid, fc.constantFrom(...FORMS), fc.nat()).map((all) => deform(...all)) },
    { weight: 1, arbitrary: fc.oneof(fc.constantFrom(...WHOLE_BODIES, ...DEEP), jsonText) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );

const MAX_READS = 100;
const MAX_KEYS = 200;

export const batchBody = bodies(listOf('reads', read, MAX_READS));
export const listsReadBody = bodies(listOf('keys', key, MAX_KEYS));
