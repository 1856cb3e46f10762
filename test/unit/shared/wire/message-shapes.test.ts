// A message that changes without a new MESSAGE_VERSION fails here. The recorded shapes are those of the version in the
// file. Raise MESSAGE_VERSION, say in shared/wire/message-version.ts what it adds, and record with EARSHOT_RECORD=1.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { manifestSchema } from '../../../../shared/domain/manifest.ts';
import { heartbeatSchema } from '../../../../shared/wire/heartbeat.ts';
import { MESSAGE_VERSION } from '../../../../shared/wire/message-version.ts';
import { listsReadSchema } from '../../../../shared/wire/read-request.ts';

interface Recorded {
  readonly version: number;
  readonly shapes: Readonly<Record<string, unknown>>;
}

/** The messages with a schema. */
const SCHEMAS = { manifestSchema, heartbeatSchema, listsReadSchema };

/** The messages that are types only, with the types of their fields. */
const TYPES: readonly (readonly [file: string, names: readonly string[]])[] = [
  ['edge/region/protocol.ts', ['RegionCall', 'RegionRead', 'FromObject', 'RegionAnswer']],
  ['edge/reads/list-source.ts', ['ListRequest', 'LoadFailureReason', 'LoadFailure']],
  ['edge/reads/trail.ts', ['RegionLookup']],
  ['edge/tiers/tier.ts', ['TierLookup']],
  ['edge/exposures/sink.ts', ['ShownExposure']],
  ['shared/domain/experiments/exposure.ts', ['Exposure']],
  ['shared/domain/keys.ts', ['ListKey']],
  ['shared/domain/list.ts', ['ListValue', 'StoredList']],
  ['shared/caching/entry.ts', ['Entry']],
  ['shared/wire/read-response.ts', ['ListResult', 'AgedValue']],
  ['shared/wire/edge/edge-report.ts', ['AnswerTimes', 'EdgeReport']],
];

const file = new URL('messages/shapes.json', import.meta.url);
const recorded = (): Recorded => JSON.parse(readFileSync(file, 'utf8')) as Recorded;

/** A declaration without comments, in one line. Throws an Error if the file has none of that name. */
function shapeOf(source: string, name: string): string {
  const start = new RegExp(`^(?:export )?(?:interface|type) ${name}\\b`, 'm').exec(source);
  if (start === null) throw new Error(`expected a declaration of ${name}`);
  const rest = source.slice(start.index).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const [declaration = ''] = /^[\s\S]*?\n(?=\S)(?!\})/.exec(`${rest}\nend`) ?? [];
  return declaration.replaceAll(/\s+/g, ' ').trim();
}

function shapesNow(): Record<string, unknown> {
  const schemas = Object.entries(SCHEMAS).map(([name, schema]) => [
    name,
    z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }),
  ]);
  const types = TYPES.flatMap(([path, names]) => {
    const source = readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
    return names.map((name) => [name, shapeOf(source, name)]);
  });
  return JSON.parse(JSON.stringify(Object.fromEntries([...schemas, ...types])));
}

if (process.env.EARSHOT_RECORD === '1') {
  const isNew = recorded().version < MESSAGE_VERSION;
  if (isNew)
    writeFileSync(file, `${JSON.stringify({ version: MESSAGE_VERSION, shapes: shapesNow() }, undefined, 2)}\n`);
}

test('the messages of this build are those that were recorded for its version', () => {
  const { version, shapes } = recorded();
  expect({ version, shapes: shapesNow() }).toEqual({ version: MESSAGE_VERSION, shapes });
});

test('a shape has the fields of its type, and no other declaration', () => {
  const source =
    'interface A {\n  /** A comment. */\n  readonly a: number;\n}\n\nexport type B =\n  | { b: 1 }\n  | C;\n\nconst c = 1;\n';
  expect([shapeOf(source, 'A'), shapeOf(source, 'B')]).toEqual([
    'interface A { readonly a: number; }',
    'export type B = | { b: 1 } | C;',
  ]);
  expect(() => shapeOf(source, 'D')).toThrow('expected a declaration of D');
});
