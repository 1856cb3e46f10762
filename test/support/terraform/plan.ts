// The resources of a module for the values of its variables, as `terraform plan` would list them: `for_each` and
// `dynamic` are expanded, and expressions have values.
import { entriesOf, evaluateAll, type Scope } from './evaluate.ts';
import type { Body, Module, Value } from './module.ts';

export interface Instance {
  readonly type: string;
  readonly name: string;
  /** Undefined without `for_each`. */
  readonly key: string | undefined;
  readonly values: { readonly [name: string]: Value };
}

/** The value at a path such as `template.containers.image`. Of several blocks of a name the first counts. */
export function dig(value: unknown, path: string): unknown {
  return path.split('.').reduce((found, name) => {
    const body = Array.isArray(found) ? found[0] : found;
    return (body as { readonly [name: string]: unknown } | null | undefined)?.[name];
  }, value);
}

/** All blocks of a name at a path. */
export const digAll = (value: unknown, path: string): readonly unknown[] => {
  const found = dig(value, path);
  return Array.isArray(found) ? found : [];
};

/** Rejects for a missing variable, and for a part of the language that evaluate.ts does not know. */
export async function planModule(module: Module, values: Body): Promise<Instance[]> {
  const scope = makeScope(module, values);
  const instances: Instance[] = [];
  for (const [type, named] of Object.entries(module.resources))
    for (const [name, [body = {}]] of Object.entries(named))
      for (const [key, inner] of await expand(body.for_each, 'each', scope))
        instances.push({ type, name, key, values: await evaluateBody(body, inner) });
  return instances;
}

/** Evaluates an output, or another expression of the module. */
export const evaluateIn = (module: Module, values: Body, value: Value): Promise<Value> =>
  evaluateAll(value, makeScope(module, values));

function makeScope({ variables, locals }: Module, values: Body): Scope {
  const known = new Map<string, Promise<Value>>();
  const scope: Scope = async (name, member = '') => {
    if (name === 'var') return valueOfVariable(variables, values, member);
    if (name !== 'local') return undefined;
    const text = locals[member];
    if (text === undefined) throw new Error(`expected a local value ${member}`);
    const value = known.get(member) ?? evaluateAll(text, scope);
    known.set(member, value);
    return value;
  };
  return scope;
}

function valueOfVariable(variables: Module['variables'], values: Body, name: string): Value {
  const [declared] = variables[name] ?? [];
  const value = values[name] ?? declared?.default;
  if (value === undefined) throw new Error(`expected a value of the variable ${name}`);
  return value;
}

/** One scope for each member of `forEach`, with `iterator.key` and `iterator.value`. */
async function expand(
  forEach: Value | undefined,
  iterator: string,
  scope: Scope,
): Promise<(readonly [string | undefined, Scope])[]> {
  if (forEach === undefined) return [[undefined, scope]];
  return entriesOf(toMap(await evaluateAll(forEach, scope))).map(([key, value]) => [
    String(key),
    async (name, member) => (name === iterator ? { key, value } : scope(name, member)),
  ]);
}

/** A set of texts is its own map. A dynamic block may have a list. */
const toMap = (value: Value): Value =>
  Array.isArray(value) ? Object.fromEntries(value.map((each) => [String(each), each])) : value;

const META_ARGUMENTS = ['for_each', 'depends_on', 'dynamic'];

async function evaluateBody(body: Body, scope: Scope): Promise<{ [name: string]: Value }> {
  const result: { [name: string]: Value } = {};
  for (const [name, value] of Object.entries(body))
    if (!META_ARGUMENTS.includes(name)) result[name] = await evaluateNested(value, scope);
  for (const [name, blocks] of Object.entries((body.dynamic ?? {}) as { [name: string]: Body[] }))
    for (const { for_each: forEach, content } of blocks)
      for (const [, inner] of await expand(forEach, name, scope)) {
        const [made] = (await evaluateNested(content ?? [], inner)) as Value[];
        result[name] = [...((result[name] ?? []) as Value[]), made ?? {}];
      }
  return result;
}

/** Blocks within blocks may be dynamic, too. */
async function evaluateNested(value: Value, scope: Scope): Promise<Value> {
  const isBlocks = Array.isArray(value) && value.every((each) => each !== null && typeof each === 'object');
  if (!isBlocks) return evaluateAll(value, scope);
  return Promise.all(
    value.map((each) => (Array.isArray(each) ? evaluateAll(each, scope) : evaluateBody(each as Body, scope))),
  );
}
