// The evaluation of HCL in tests: the local values of deploy/terraform are those that the tool itself computes, where a
// machine has it. Anything that the evaluation does not know is an error, never a guess.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseModule, parseValues, readTexts, type Texts, type Value } from '../../support/terraform/module.ts';
import { evaluateIn } from '../../support/terraform/plan.ts';

const folder = join(import.meta.dirname, '../../../deploy/terraform');
const tool = ['tofu', 'terraform'].find((name) => spawnSync(name, ['version']).status === 0);

const localsOf = (texts: Texts): string =>
  Object.values(texts)
    .flatMap((text) => text.match(/^locals \{\n[\s\S]*?^\}\n/gm) ?? [])
    .join('\n');

/** The value of an expression in a module of variables and local values. It needs no provider. */
function askTool(files: Texts, values: string, expression: string): Value {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-hcl-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  writeFileSync(join(directory, 'values.tfvars'), values);
  const input = `jsonencode(${expression})\n`;
  const { stdout, stderr } = spawnSync(tool ?? '', ['console', '-var-file=values.tfvars'], {
    cwd: directory,
    input,
    encoding: 'utf8',
  });
  const answer = stdout.trim().split('\n').at(-1) ?? '';
  if (!answer.startsWith('"')) throw new Error(`expected JSON from ${tool}, got ${stdout}${stderr}`);
  return JSON.parse(JSON.parse(answer) as string) as Value;
}

test.skipIf(tool === undefined).each(['staging', 'production'])('%s has the local values of the tool', async (name) => {
  const texts = readTexts(folder);
  const values = readTexts(folder, 'tfvars.example')[`${name}.tfvars.example`] ?? '';
  const module = await parseModule(texts);
  const names = Object.keys(module.locals);
  expect(names.length).toBeGreaterThan(15);
  const files = { 'variables.tf': texts['variables.tf'] ?? '', 'locals.tf': localsOf(texts) };
  const expected = askTool(files, values, `{ ${names.map((each) => `${each} = local.${each}`).join(', ')} }`);
  const found: Record<string, Value> = {};
  for (const each of names)
    found[each] = await evaluateIn(module, await parseValues(values), module.locals[each] ?? null);
  expect(found).toEqual(expected);
});

test.each([
  ['upper("a")', 'expected a known function, got upper'],
  ['5 % 2', 'expected a known operator, got modulo'],
  ['local.b', 'expected a local value b'],
  ['var.b', 'expected a value of the variable b'],
  ['local.map.c', 'expected a member c'],
  ['[for x in 5 : x]', 'expected a list or a map, got 5'],
])('%s is an error', async (expression, message) => {
  const module = await parseModule({ 'a.tf': `locals {\n  map = {}\n  a = ${expression}\n}\n` });
  await expect(evaluateIn(module, {}, module.locals.a ?? null)).rejects.toThrow(message);
});
