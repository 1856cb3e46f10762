// The contract that is published is the one that is kept.
import { beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { createHarness, type Harness } from './support/harness.ts';
import { keyOf, makeList } from './support/lists.ts';

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

interface Operation {
  readonly operationId: string;
  readonly parameters: { name: string; in: string; required?: boolean; schema: Record<string, unknown> }[];
  readonly responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>;
  readonly security: unknown[];
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

let edge: Harness;
let document: Document;

beforeAll(async () => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  document = await (await edge.get('/openapi.json', { authorization: null })).json();
});

const operationOf = (path: string): Operation => {
  const operation = document.paths[path]?.get;
  if (operation === undefined) throw new Error(`expected GET ${path} in the contract`);
  return operation;
};

/** The schema of a component, able to check an answer. */
const componentOf = (name: string): z.ZodType =>
  z.fromJSONSchema({ ...document.components.schemas[name], additionalProperties: false } as JsonSchema);

test('it is an OpenAPI 3.1 document with the public routes and no other', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toEqual([
    '/v1/me/recommendations/{surface}',
    '/v1/users/{user}/recommendations/{surface}',
  ]);
  expect(document.components.securitySchemes).toEqual({
    bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  });
});

test('every reference in it leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? '');
  expect(references.length).toBeGreaterThan(0);
  for (const path of references) {
    const target = path.split('/').reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], document);
    expect(target).toBeDefined();
  }
});

test('its parameters are those that requests are held to', () => {
  const { parameters } = operationOf('/v1/users/{user}/recommendations/{surface}');
  expect(parameters.map(({ name, in: where, required = false }) => [name, where, required])).toEqual(
    expect.arrayContaining([
      ['user', 'path', true],
      ['surface', 'path', true],
      ['limit', 'query', false],
      ['fallback', 'query', false],
      ['variant', 'query', false],
      ['Earshot-Debug', 'header', false],
    ]),
  );
  const schemaOf = (name: string) => parameters.find((parameter) => parameter.name === name)?.schema;
  expect(schemaOf('limit')).toMatchObject({ type: 'integer', minimum: 1, maximum: 100, default: 50 });
  expect(schemaOf('fallback')).toMatchObject({ enum: ['popular', 'none'], default: 'popular' });
  expect(schemaOf('user')).toMatchObject({ pattern: '^[A-Za-z0-9._:@-][A-Za-z0-9._~:@-]{0,127}$' });
});

test('a real answer fits its schema', async () => {
  const body: unknown = await (await edge.get('/v1/me/recommendations/home')).json();
  expect(componentOf('Recommendations').safeParse(body).error).toBeUndefined();
  expect(componentOf('Recommendations').safeParse({ ...(body as object), source: 'guess' }).success).toBe(false);
});

test.each([
  ['/v1/me/recommendations/home?limit=0', 400],
  ['/v1/users/bob/recommendations/home', 403],
  ['/v1/me/recommendations/radio', 404],
] as const)('the problem of %s fits its schema, under a status that is announced', async (path, status) => {
  const response = await edge.get(path);
  expect(response.status).toBe(status);
  expect(componentOf('Problem').safeParse(await response.json()).error).toBeUndefined();
  expect(Object.keys(operationOf('/v1/me/recommendations/{surface}').responses)).toContain(String(status));
});
