// Faults that any module can have: names without a declaration, variables without a use or a description, versions that
// can move, and secrets in the text.
import { findNames } from '../../support/terraform/evaluate.ts';
import type { Body, Module, Texts, Value } from '../../support/terraform/module.ts';
import { findCircles } from '../import-graph.ts';

const EXACT_VERSION = /^\d+\.\d+\.\d+$/;

/** One line for each fault. */
export async function judgeModule(module: Module, texts: Texts): Promise<string[]> {
  const { locals, outputs, resources, data, variables, providers } = module;
  const names = await namesIn([locals, outputs, resources, data, variables, providers] as unknown as Value);
  const references = new Set(names.map(toReference));
  return [
    ...judgeReferences(module, references),
    ...judgeKeys(module, names),
    ...(await judgeCircles(module)),
    ...judgeVariables(module, references),
    ...judgeVersions(module),
    ...judgeSecrets(module, texts),
  ];
}

/** The names in all text of a value, however deep. */
async function namesIn(value: Value): Promise<string[]> {
  const names = await Promise.all([...new Set(textsIn(value))].map(findNames));
  return names.flat();
}

function textsIn(value: Value): string[] {
  if (typeof value === 'string') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}

/** `var.x`, `local.x`, `google_y.z`, `data.google_y.z`. */
function toReference(name: string): string {
  const parts = name.split(/[.[]/);
  return parts.slice(0, parts[0] === 'data' ? 3 : 2).join('.');
}

const addressesOf = (types: Module['resources'], prefix = ''): [string, Body][] =>
  Object.entries(types).flatMap(([type, names]) =>
    Object.entries(names).map(([name, [body = {}]]): [string, Body] => [`${prefix}${type}.${name}`, body]),
  );

function judgeReferences({ variables, locals, resources, data }: Module, references: Set<string>): string[] {
  const declared = new Set([
    ...Object.keys(variables).map((name) => `var.${name}`),
    ...Object.keys(locals).map((name) => `local.${name}`),
    ...[...addressesOf(resources), ...addressesOf(data, 'data.')].map(([address]) => address),
  ]);
  const isOurs = (reference: string): boolean => /^(var|local|data|google_\w+|cloudflare_\w+)\./.test(reference);
  return [
    ...[...references]
      .filter(isOurs)
      .filter((each) => !declared.has(each))
      .map((each) => `${each}: not declared`),
    ...Object.keys(locals)
      .filter((name) => !references.has(`local.${name}`))
      .map((name) => `local.${name}: not used`),
  ];
}

/** A resource with `for_each` is several, so a reference to an attribute needs a key. */
function judgeKeys({ resources }: Module, names: readonly string[]): string[] {
  const several = addressesOf(resources).flatMap(([address, body]) => (body.for_each === undefined ? [] : [address]));
  return names
    .filter((name) => several.some((address) => name.startsWith(`${address}.`)))
    .map((name) => `${name}: expected a key`);
}

/** Resources that wait for each other. */
async function judgeCircles({ resources, locals }: Module): Promise<string[]> {
  const localBodies = Object.entries(locals).map(([name, value]): [string, Body] => [`local.${name}`, { value }]);
  const edges = [...addressesOf(resources), ...localBodies].map(async ([file, body]) =>
    (await namesIn(body)).map((name) => ({ file, target: toReference(name), isRelative: true })),
  );
  return findCircles((await Promise.all(edges)).flat()).map((circle) => `${circle.join(' and ')}: wait for each other`);
}

function judgeVariables({ variables, outputs }: Module, references: Set<string>): string[] {
  const isDescribed = ([, [body]]: [string, readonly Body[]]): boolean => String(body?.description ?? '').length > 20;
  return [
    ...Object.entries({ ...variables, ...outputs })
      .filter((each) => !isDescribed(each))
      .map(([name]) => `${name}: no description`),
    // A condition of its own is no use of a variable.
    ...Object.keys(variables)
      .filter((name) => !references.has(`var.${name}`))
      .map((name) => `var.${name}: not used`),
  ];
}

function judgeVersions({ settings, resources }: Module): string[] {
  const required = settings.flatMap(({ required_providers: blocks = [] }) => blocks as Body[]);
  const versions = Object.entries(Object.assign({}, ...required) as { [name: string]: Body });
  const isPinned = ([, { version }]: [string, Body]): boolean => EXACT_VERSION.test(String(version));
  const used = new Set(Object.keys(resources).map((type) => type.split('_')[0] ?? ''));
  const known = new Set(versions.map(([name]) => name));
  return [
    ...versions.filter((each) => !isPinned(each)).map(([name]) => `provider ${name}: expected an exact version`),
    ...[...used].filter((name) => !known.has(name)).map((name) => `provider ${name}: not declared`),
    ...(settings.some((each) => each.required_version !== undefined) ? [] : ['no required_version']),
  ];
}

/** Random text of 32 bytes in base64 or hexadecimal digits, and the private part of a pair of keys. */
const LITERAL_SECRET =
  /PRIVATE KEY|(?<![\w/+@:-])(?=[\w+/]*\d)(?=[\w+/]*[a-z])(?=[\w+/]*[A-Z])[\w+/]{40,}={0,2}(?![\w/+-])/;

function judgeSecrets({ resources, providers }: Module, texts: Texts): string[] {
  const versions = Object.keys(resources).filter((type) => /secret_version$|_service_account_key$/.test(type));
  const set = Object.entries(providers).flatMap(([name, [body = {}]]) =>
    Object.keys(body)
      .filter((attribute) => /token|key|credentials|secret/.test(attribute))
      .map((attribute) => `provider ${name}: ${attribute} comes from the environment`),
  );
  return [
    ...versions.map((type) => `${type}: the state would have the secret`),
    ...set,
    ...Object.entries(texts).flatMap(([file, text]) =>
      LITERAL_SECRET.test(text) ? [`${file}: a literal secret`] : [],
    ),
  ];
}
