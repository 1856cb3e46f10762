// Tools that read /openapi.json: a linter, and a generator of typed clients whose types compile the examples.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEdgeDocument } from '../../support/edge-document.ts';

const root = join(import.meta.dirname, '../../..');
const require = createRequire(import.meta.url);
const directory = mkdtempSync(join(tmpdir(), 'earshot-openapi-'));
const document = join(directory, 'openapi.json');
const types = join(directory, 'earshot.d.ts');

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly output: string;
}

const runNode = (args: readonly string[]): Promise<Run> =>
  new Promise((resolve) => {
    // The linter neither counts its users nor asks for a newer version.
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    execFile(process.execPath, args, { cwd: directory, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, output: stdout + stderr });
    });
  });

/** The script behind a command of an installed package. */
function binOf(name: string, command: string): string {
  const path = require.resolve(`${name}/package.json`);
  const { bin } = require(path) as { bin: Record<string, string> };
  return join(dirname(path), bin[command] ?? '');
}

/** Type-checks `source` beside the generated types. Returns the compiler's errors. */
async function compile(name: string, source: string): Promise<string> {
  writeFileSync(join(directory, name), source);
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, target: 'es2024', lib: ['es2024', 'dom'] },
    ...{ module: 'nodenext', allowImportingTsExtensions: true, moduleDetection: 'force' },
    ...{ types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
  };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }));
  const { output } = await runNode([binOf('typescript', 'tsc'), '-p', directory]);
  return output;
}

beforeAll(async () => {
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  writeFileSync(document, await readEdgeDocument());
  const hook = join(root, 'test/support/use-typescript-5.mjs');
  const generator = join(root, 'node_modules/openapi-typescript/bin/cli.js');
  const { code, output } = await runNode(['--import', hook, generator, document, '-o', types]);
  expect(output).toContain('earshot.d.ts');
  expect(code).toBe(0);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('Redocly finds no error and no warning in the document', async () => {
  const { code, stdout } = await runNode([binOf('@redocly/cli', 'redocly'), 'lint', document, '--format=json']);
  const { totals } = JSON.parse(stdout) as { totals: object };
  expect([code, totals]).toEqual([0, { errors: 0, warnings: 0, ignored: 0 }]);
});

test('Redocly would find one: a document without a summary and a server has errors', async () => {
  const broken = join(directory, 'broken.json');
  const { servers: _, ...rest } = JSON.parse(readFileSync(document, 'utf8')) as { servers: unknown };
  writeFileSync(broken, JSON.stringify({ ...rest, servers: [], paths: { '/a': { get: { responses: {} } } } }));
  expect((await runNode([binOf('@redocly/cli', 'redocly'), 'lint', broken])).code).not.toBe(0);
});

test("the generated client takes README's batch, and tells its results apart by status", async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const body = /-d '(\{"reads":.*\})'/.exec(readme)?.[1];
  expect(body).toContain('"limit":2');
  const source = `import type { components, paths } from './earshot.d.ts';
type Operation = paths['/v1/recommendations:batch']['post'];
export const body: Operation['requestBody']['content']['application/json'] = ${body};
type Answer = Operation['responses'][200]['content']['application/json'];
export function describe(answer: Answer): string[] {
  return answer.results.map((result) => {
    if (result.status === 200) return result.user + result.items.map(({ id, score }) => id + score.toFixed(1)).join();
    const owner: string | undefined = result.user;
    return \`\${owner} \${result.surface}: \${result.status} \${result.problem.code} \${result.problem.detail ?? ''}\`;
  });
}
type Own = paths['/v1/me/recommendations/{surface}']['get'];
export const query: Own['parameters']['query'] = { limit: 2 };
export const all: NonNullable<Own['parameters']['query']> = { limit: 10, expand: 'items', fallback: 'none' };
export function show(list: Own['responses'][200]['content']['application/json']): string {
  return \`\${list.source} \${list.items.map(({ id, metadata }) => metadata?.title ?? id).join()}\`;
}
type Unavailable = Own['responses'][503]['headers'];
export const wait = (headers: Unavailable): string => headers['Retry-After'];
export const isUp = (health: components['schemas']['Health']): boolean => health.manifest !== 'none';
export type Head = paths['/v1/me/recommendations/{surface}']['head']['responses'][405]['headers']['Allow'];
`;
  expect(await compile('readme.ts', source)).toBe('');
  const wrong = source.replace('result.status === 200', 'result.status === 404');
  expect(await compile('wrong.ts', wrong)).toContain('error TS2339');
});

test('the batch example compiles with the generated types in place of its own', async () => {
  const example = readFileSync(join(root, 'examples/batch-service/read-batch.ts'), 'utf8');
  const own = /interface Problem \{[\s\S]*?\n\ntype Result =\n[\s\S]*?;\n/;
  expect(example).toMatch(own);
  const generated = `import type { components } from './earshot.d.ts';
type Problem = components['schemas']['Problem'];
type Result = components['schemas']['BatchAnswer']['results'][number];
`;
  const typed = example
    .replace(own, generated)
    .replace(
      'body: JSON.stringify({ reads',
      "body: JSON.stringify({ reads: reads satisfies components['schemas']['Read'][]",
    )
    .replace(/reads satisfies (.*?\[\]): (users\.map\(.*?\))( \}\))/, '($2 satisfies $1)$3');
  expect(typed).toContain('satisfies components');
  expect(await compile('example.ts', typed)).toBe('');
});
