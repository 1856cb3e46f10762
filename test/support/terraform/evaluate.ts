// Values of HCL expressions, as far as the module of deploy/terraform uses the language. A reference to a resource has
// no value before it exists: it stays text, `${google_x.y.id}`. An unknown part of the language is an error.
import { getExpressionAst, type TFExpressionSyntaxTree as Syntax } from '@cdktf/hcl2json';
import type { Value } from './module.ts';

/** Value of a name: `var`, `local`, `each`, or of an iterator. Undefined: a resource. */
export type Scope = (name: string, member: string | undefined) => Promise<Value | undefined>;

type Node = Syntax.ExpressionType;

const FILE = 'expression.tf';
const parsed = new Map<string, Promise<Node>>();

function parseExpression(text: string): Promise<Node> {
  const known = parsed.get(text) ?? getExpressionAst(FILE, text).then((node) => node as Node);
  parsed.set(text, known);
  return known;
}

/** Evaluates all text of `value`, however deep. */
export async function evaluateAll(value: Value, scope: Scope): Promise<Value> {
  if (typeof value === 'string') return value.includes('${') ? evaluateText(value, scope) : value;
  if (Array.isArray(value)) return Promise.all(value.map((each) => evaluateAll(each, scope)));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(async ([name, each]) => [name, await evaluateAll(each, scope)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const evaluateText = (text: string, scope: Scope): Promise<Value> => evaluate(toExpression(text), scope);

/** `${a}` is the expression a. Other text is a template: `${a}-${b}`. */
function toExpression(text: string): string {
  const inner = text.slice('${'.length, -1);
  return text.startsWith('${') && text.endsWith('}') && isBalanced(inner) ? inner : `"${text}"`;
}

/** Whether no brace closes before it opens. `a}-${b` is two expressions. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '{') depth++;
    if (character === '}' && --depth < 0) return false;
  }
  return depth === 0;
}

/** The names in a text, with their members: `var.x`, `google_y.z.id`. */
export async function findNames(text: string): Promise<string[]> {
  const names: string[] = [];
  const visit = ({ type, meta, children }: Syntax.ExpressionAst): void => {
    if (type === 'scopeTraversal') names.push((meta as Syntax.ScopeTraversalExpressionMeta).fullAccessor);
    children.forEach(visit);
  };
  if (text.includes('${')) visit(await parseExpression(toExpression(text)));
  return names;
}

async function evaluate(text: string, scope: Scope): Promise<Value> {
  return evaluateNode(await parseExpression(text), scope);
}

async function evaluateNode(node: Node, scope: Scope): Promise<Value> {
  switch (node.type) {
    case 'literalValue':
      return toLiteral(node.meta as Syntax.LiteralValueExpressionMeta);
    case 'template':
    case 'templateWrap':
      return joinParts(await evaluateChildren(node, scope));
    case 'tuple':
      return evaluateChildren(node, scope);
    case 'object':
      return evaluateObject(node.meta as Syntax.ObjectExpressionMeta, scope);
    case 'scopeTraversal':
      return evaluateTraversal(node.meta as Syntax.ScopeTraversalExpressionMeta, scope);
    case 'relativeTraversal':
    case 'index':
      return evaluateAccess(node, scope);
    case 'conditional':
      return evaluateConditional(node.meta as Syntax.ConditionalExpressionMeta, scope);
    case 'binaryOp':
      return evaluateBinary(node, scope);
    case 'function':
      return callFunction((node.meta as Syntax.FunctionCallMeta).name, await evaluateChildren(node, scope));
    case 'for':
      return evaluateFor(node.meta as Syntax.ForExpressionMeta, scope);
    default:
      return evaluateOther(node, scope);
  }
}

/** The parser has no name for parentheses. */
async function evaluateOther({ type, children, meta }: Syntax.ExpressionAst, scope: Scope): Promise<Value> {
  const [inner] = children;
  if (type !== '' || inner === undefined)
    throw new Error(`expected a known kind of expression, got ${type}: ${meta?.value}`);
  return evaluateNode(inner, scope);
}

const evaluateChildren = ({ children }: Node, scope: Scope): Promise<Value[]> =>
  Promise.all(children.map((child) => evaluateNode(child, scope)));

function toLiteral({ type, value }: Syntax.LiteralValueExpressionMeta): Value {
  if (type === 'number') return Number(value);
  if (type === 'bool') return value === 'true';
  return type === 'string' ? value : null;
}

const joinParts = (parts: readonly Value[]): Value => (parts.length === 1 ? (parts[0] ?? null) : parts.join(''));

async function evaluateObject({ items }: Syntax.ObjectExpressionMeta, scope: Scope): Promise<Value> {
  const entries = Object.entries(items).map(
    async ([name, text]) => [name.replaceAll('"', ''), await evaluate(text, scope)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function evaluateTraversal(meta: Syntax.ScopeTraversalExpressionMeta, scope: Scope): Promise<Value> {
  const [root = '', ...members] = meta.traversal.map(({ segment }) => segment.replaceAll('"', ''));
  const base = await scope(root, members[0]);
  if (base === undefined) return `\${${meta.fullAccessor}}`;
  // `var` and `local` have the value of their member.
  const rest = root === 'var' || root === 'local' ? members.slice(1) : members;
  return rest.reduce(memberOf, base);
}

function memberOf(value: Value, name: string): Value {
  if (typeof value === 'string' && value.startsWith('${')) return `\${${value.slice(2, -1)}.${name}}`;
  const found = (value as { [name: string]: Value } | null)?.[name];
  if (found === undefined) throw new Error(`expected a member ${name}, got ${JSON.stringify(value)}`);
  return found;
}

async function evaluateAccess(node: Node, scope: Scope): Promise<Value> {
  const [base = null, key] = await evaluateChildren(node, scope);
  if (node.type === 'index') {
    const isResource = typeof base === 'string' && base.startsWith('${');
    return isResource ? `\${${base.slice(2, -1)}[${JSON.stringify(key)}]}` : memberOf(base, String(key));
  }
  const { traversal } = node.meta as Syntax.RelativeTraversalExpressionMeta;
  return traversal.reduce((value, { segment }) => memberOf(value, segment.replaceAll('"', '')), base);
}

async function evaluateConditional(meta: Syntax.ConditionalExpressionMeta, scope: Scope): Promise<Value> {
  const isTrue = (await evaluate(meta.conditionExpression, scope)) === true;
  return evaluate(isTrue ? meta.trueExpression : meta.falseExpression, scope);
}

async function evaluateBinary(node: Node, scope: Scope): Promise<Value> {
  const [a = null, b = null] = await evaluateChildren(node, scope);
  const { operator } = node.meta as Syntax.BinaryOpExpressionMeta;
  if (operator === 'equal') return a === b;
  if (operator === 'notEqual') return a !== b;
  const [x, y] = [Number(a), Number(b)];
  if (operator === 'add') return x + y;
  if (operator === 'multiply') return x * y;
  if (operator === 'divide') return x / y;
  throw new Error(`expected a known operator, got ${operator}`);
}

async function evaluateFor(meta: Syntax.ForExpressionMeta, scope: Scope): Promise<Value> {
  const collection = await evaluate(meta.collectionExpression, scope);
  const results: (readonly [Value, Value])[] = [];
  for (const [key, value] of entriesOf(collection)) {
    const inner: Scope = async (name, member) =>
      name === meta.valVar ? value : name === meta.keyVar ? key : scope(name, member);
    if (meta.conditionalExpression && (await evaluate(meta.conditionalExpression, inner)) !== true) continue;
    const result = await evaluate(meta.valueExpression, inner);
    results.push([meta.keyExpression ? await evaluate(meta.keyExpression, inner) : results.length, result]);
  }
  return meta.keyExpression ? Object.fromEntries(results) : results.map(([, value]) => value);
}

/** As `for_each` and `for` go through a list or a map. */
export function entriesOf(collection: Value): [Value, Value][] {
  if (Array.isArray(collection)) return [...collection.entries()];
  if (collection !== null && typeof collection === 'object') return Object.entries(collection);
  throw new Error(`expected a list or a map, got ${JSON.stringify(collection)}`);
}

const asMap = (value: Value | undefined): { [name: string]: Value } => value as { [name: string]: Value };

const FUNCTIONS: Readonly<Record<string, (...args: Value[]) => Value>> = {
  ceil: (x) => Math.ceil(Number(x)),
  concat: (...lists) => (lists as Value[][]).flat(),
  format: (pattern, x) => String(pattern).replace('%x', Number(x).toString(16)),
  join: (separator, list) => (list as Value[]).join(String(separator)),
  keys: (map) => Object.keys(asMap(map)),
  max: (...numbers) => Math.max(...numbers.map(Number)),
  merge: (...maps) => Object.assign({}, ...maps),
  range: (from, to) => Array.from({ length: Number(to) - Number(from) }, (_, i) => Number(from) + i),
  toset: (list) => Object.fromEntries((list as Value[]).map((each) => [String(each), each])),
  tostring: (value) => String(value),
  trimsuffix: (text) => text ?? null,
  values: (map) => Object.values(asMap(map)),
};

function callFunction(name: string, args: Value[]): Value {
  const call = FUNCTIONS[name];
  if (call === undefined) throw new Error(`expected a known function, got ${name}`);
  return call(...args);
}
