// Texts that a hostile client sends: user ids, surfaces and paths that try to leave their place.
import { createHash } from 'node:crypto';
import fc from 'fast-check';

/** Users with lists, in every form that the grammar of ids allows. */
export const USERS: readonly string[] = [
  ...Array.from({ length: 30 }, (_, i) => `listener:${i}`),
  ...['auth0|5f7c', 'ann@example.com', '..', '.', '...', '@', '|', '+', '-', ':', 'a~popular', 'a..b', '0', 'null'],
  ...['true', 'constructor', 'toString', 'x'.repeat(128), 'a+b', 'NaN', '1e3', 'listener:1.', 'Listener:1'],
];

/** Users whose lists have MAX_ITEMS items with large metadata: an expanded list of them is sent as a stream. */
export const LARGE_USERS: readonly string[] = ['large:1', 'large:2', 'large:3'];

/** First item of a user's own list. Items of two users differ, whatever the ids. */
export const itemOf = (user: string): string =>
  `of-${createHash('sha256').update(user).digest('base64url').slice(0, 22)}`;

/** First item of the popular list. */
export const POPULAR_ITEM = 'popular-item';

const HOSTILE_IDS: readonly string[] = [
  ...[
    '',
    '~popular',
    '~',
    '~x',
    'a/b',
    'a#b',
    'a b',
    '/',
    '//',
    '../home',
    '..%2f',
    '%2e%2e',
    '%',
    '%00',
    '%zz',
    '%c0%af',
  ],
  ...['\u0000', 'a\u0000b', '\r\n', 'a\nX-Evil: 1', '\u007f', 'ü', 'Ж', '😀', '\ud800', 'a\udfffb', '\ufeff', '\u202e'],
  ...['__proto__', 'prototype', 'hasOwnProperty', '"', '\\', "'", '<script>', '$(x)', '{{x}}', '*', '?', '&', '=', ';'],
  ...['x'.repeat(129), 'x'.repeat(5_000), 'listener:1/items', 'home/control/1704078000000/listener:1', 'a\tb', 'a,b'],
];

const hostileText = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...HOSTILE_IDS) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  {
    weight: 2,
    arbitrary: fc.string({ unit: fc.constantFrom(...'./~%#:@|+-_?&=aZ0 \u0000\u00e9\ud800'), maxLength: 200 }),
  },
);

export const knownUser = fc.constantFrom(...USERS, ...LARGE_USERS);
export const anyUser = fc.oneof({ weight: 9, arbitrary: knownUser }, { weight: 4, arbitrary: hostileText });

const NAMES = [
  'radio',
  'popular',
  'Home',
  'home-',
  '-home',
  'h',
  'constructor',
  'valueof',
  'h'.repeat(32),
  'h'.repeat(33),
];

export const anySurface = fc.oneof(
  { weight: 16, arbitrary: fc.constant('home') },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: hostileText },
);

export const anyVariant = fc.oneof(
  { weight: 3, arbitrary: fc.constant('control') },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: hostileText },
);

export { hostileText };

const percentEach = (bytes: Buffer): string =>
  bytes.reduce((all, byte) => `${all}%${byte.toString(16).padStart(2, '0')}`, '');

/** A byte that ends a request line early makes the request a broken one. */
const toTargetBytes = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replaceAll(/[^!-~]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** `text` in one of the spellings that a path segment or a query value can have. Printable ASCII alone. */
export const spelled = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(text, fc.constantFrom('component', 'component', 'component', 'raw', 'each', 'twice'))
    .map(([value, form]) => {
      const wellFormed = value.toWellFormed();
      if (form === 'raw') return toTargetBytes(value);
      if (form === 'each') return percentEach(Buffer.from(value));
      const once = encodeURIComponent(wellFormed);
      return form === 'twice' ? encodeURIComponent(once) : once;
    });

const DEPTH = 3_000;

/** Any JSON text: every type, nested, huge, with lone surrogates as escapes. */
export const jsonText = fc.oneof(
  { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)) },
  { weight: 4, arbitrary: hostileText.map((text) => JSON.stringify(text)) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['null', 'true', 'false', '0', '-1', '-0', '1.5', '1e308', '1e999', '-1e999', '12345', '9007199254740993'],
      ...[
        '""',
        '[]',
        '{}',
        '[[]]',
        '[null]',
        '{"a":{}}',
        '{"__proto__":{"user":"listener:1"}}',
        '"\\ud800"',
        '"\\u0000"',
      ],
      ...['{"toString":"listener:1"}', '["listener:1"]', '[["listener:1"]]', '"listener:1"', '"listener:2 "'],
      ...[`${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`, `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`],
    ),
  },
);
