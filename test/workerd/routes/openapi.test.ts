// The published API contract matches the answers.
import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { POST_PATH, readBatch, sendBatch } from '../support/batches.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { expandedKeyOf, keyOf, makeExpandedList, makeList } from '../support/lists.ts';

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

interface Operation {
  readonly operationId: string;
  readonly parameters: { name: string; in: string; required?: boolean; schema: Record<string, unknown> }[];
  readonly responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>;
  readonly security: unknown[];
}

interface Document {
  readonly openapi: string;
  readonly servers: unknown;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

let edge: Harness;
let document: Document;

beforeAll(async () => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  edge.origins.put(expandedKeyOf('ann'), makeExpandedList('a'));
  document = await (await edge.get('/openapi.json', { authorization: null })).json();
});

const operationOf = (path: string): Operation => {
  const operation = document.paths[path]?.get;
  if (operation === undefined) throw new Error(`expected GET ${path} in the contract`);
  return operation;
};

/** The schema of a component, able to validate an answer. */
const componentOf = (name: string): z.ZodType =>
  z.fromJSONSchema({ ...document.components.schemas[name], additionalProperties: false } as JsonSchema);

test('it is an OpenAPI 3.2 document with the public routes, their methods and no other', () => {
  expect(document.openapi).toBe('3.2.0');
  const methods = Object.entries(document.paths).map(([path, operations]) => [path, Object.keys(operations)]);
  expect(Object.fromEntries(methods)).toEqual({
    '/v1/me/recommendations/{surface}': ['get', 'head'],
    '/v1/users/{user}/recommendations/{surface}': ['get', 'head'],
    '/v1/recommendations': ['query'],
    '/v1/recommendations:batch': ['post'],
    '/openapi.json': ['get', 'head'],
    '/v1/exposures': ['post'],
    '/healthz': ['get', 'head'],
  });
  expect(document.servers).toEqual([{ url: '/', description: expect.any(String) }]);
  expect(document.components.securitySchemes).toEqual({
    bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: expect.any(String) },
  });
});

test('it has a tag, and a caller that has it gets 304', async () => {
  const etag = (await edge.get('/openapi.json', { authorization: null })).headers.get('etag') ?? '';
  for (const method of ['GET', 'HEAD']) {
    const again = await edge.get('/openapi.json', { method, headers: { 'if-none-match': `"x", W/${etag}` } });
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
    const other = await edge.get('/openapi.json', { method, headers: { 'if-none-match': '"x"' } });
    expect(other.status).toBe(200);
  }
});

test('every reference in it leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? '');
  expect(references.length).toBeGreaterThan(0);
  for (const path of references) {
    const target = path.split('/').reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], document);
    expect(target).toBeDefined();
  }
});

test('its parameters are those that requests are validated against', () => {
  const { parameters } = operationOf('/v1/users/{user}/recommendations/{surface}');
  expect(parameters.map(({ name, in: where, required = false }) => [name, where, required])).toEqual(
    expect.arrayContaining([
      ['user', 'path', true],
      ['surface', 'path', true],
      ['limit', 'query', false],
      ['fallback', 'query', false],
      ['variant', 'query', false],
      ['expand', 'query', false],
      ['Earshot-Debug', 'header', false],
    ]),
  );
  const schemaOf = (name: string) => parameters.find((parameter) => parameter.name === name)?.schema;
  expect(schemaOf('limit')).toMatchObject({ type: 'integer', minimum: 1, maximum: 100 });
  expect(schemaOf('fallback')).toMatchObject({ enum: ['popular', 'none'] });
  expect(schemaOf('expand')).toMatchObject({ enum: ['items'] });
  expect(schemaOf('user')).toMatchObject({ pattern: '^[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,127}$' });
});

test('a real answer fits its schema', async () => {
  const body: unknown = await (await edge.get('/v1/me/recommendations/home')).json();
  expect(componentOf('Recommendations').safeParse(body).error).toBeUndefined();
  expect(componentOf('Recommendations').safeParse({ ...(body as object), source: 'guess' }).success).toBe(false);
});

test('a real expanded answer fits it, too: item metadata is an object with any members', async () => {
  const schema = componentOf('Recommendations');
  const body = (await (await edge.get('/v1/me/recommendations/home?expand=items')).json()) as { items: object[] };
  expect(body.items[0]).toHaveProperty('metadata');
  expect(schema.safeParse(body).error).toBeUndefined();
  expect(schema.safeParse({ ...body, items: [{ ...body.items[0], metadata: 'title' }] }).success).toBe(false);
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

describe('a batch', () => {
  const reads = [
    { user: 'ann', surface: 'home', limit: 3, fallback: 'none', expand: 'items' },
    { user: 'ann', surface: 'radio' },
    { user: 'ann', surface: 'home', offset: 1 },
  ];

  test('has a body that fits its schema, and other reads are refused in their place', async () => {
    const readSchema = componentOf('Read');
    expect(reads.map((read) => readSchema.safeParse(read).success)).toEqual([true, true, false]);
    expect((await readBatch(edge, reads)).map(({ problem }) => problem?.code)).toEqual([
      undefined,
      'unknown_surface',
      'invalid_request',
    ]);
    expect(document.components.schemas.Batch).toMatchObject({
      required: ['reads'],
      properties: { reads: { minItems: 1, maxItems: 100 } },
    });
  });

  test('has an answer that fits its schema', async () => {
    const [list, problem] = await readBatch(edge, reads);
    expect(document.components.schemas.BatchList).toMatchObject({
      allOf: [{ $ref: '#/components/schemas/Recommendations' }, { required: ['status', 'experiment'] }],
    });
    const { status, experiment, ...recommendations } = list ?? {};
    expect([status, experiment]).toEqual([200, 'home']);
    expect(componentOf('Recommendations').safeParse(recommendations).error).toBeUndefined();
    expect(componentOf('Problem').safeParse(problem?.problem).error).toBeUndefined();
  });

  test.each([
    [{}, 400],
    [{ authorization: null }, 401],
    [{ scope: '' }, 403],
    [{ headers: { 'content-length': '99999' } }, 413],
    [{ headers: { 'content-type': 'text/plain' } }, 415],
  ])('sent with %j gets a status that is announced', async (options, status) => {
    const response = await sendBatch(edge, status === 403 ? reads : [], options);
    expect(response.status).toBe(status);
    expect(componentOf('Problem').safeParse(await response.json()).error).toBeUndefined();
    expect(Object.keys(document.paths[POST_PATH]?.post?.responses ?? {})).toContain(String(status));
  });
});
