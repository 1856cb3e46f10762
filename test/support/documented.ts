// A check of real exchanges against an OpenAPI document, as a validating proxy makes it: the operation, the status, the
// headers and the body of the answer, and whether the request was valid.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

interface Response_ {
  readonly headers?: Record<string, { required?: boolean; schema: object }>;
  readonly content?: Record<string, unknown>;
}

interface Operation {
  readonly parameters?: readonly { name: string; in: 'path' | 'query' | 'header'; required?: boolean }[];
  readonly requestBody?: { readonly content: Record<string, unknown> };
  readonly responses: Record<string, Response_>;
}

export interface Exchange {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly requestBody?: string | undefined;
  readonly response: Response;
}

/** The findings of one exchange: empty if the document describes it. */
export type FindFaults = (exchange: Exchange) => Promise<string[]>;

const escapePart = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');

export function createFaultFinder(json: string): FindFaults {
  const document = JSON.parse(json) as { paths: Record<string, Record<string, Operation>> };
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ } });
  ajv.addSchema(document, 'openapi');
  const compiled = new Map<string, ValidateFunction>();

  function validate(pointer: readonly string[], value: unknown): string[] {
    const $ref = `openapi#/${pointer.map((part) => encodeURIComponent(escapePart(part))).join('/')}`;
    const check = compiled.get($ref) ?? ajv.compile({ $ref });
    compiled.set($ref, check);
    return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  }

  function findOperation(
    method: string,
    pathname: string,
  ): { path: string; params: Record<string, string> } | undefined {
    for (const [path, item] of Object.entries(document.paths)) {
      const pattern = new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
      const match = pattern.exec(pathname);
      if (match !== null && item[method] !== undefined) return { path, params: { ...match.groups } };
    }
    return undefined;
  }

  /** The reasons why the request is not one that the document describes. */
  function findRequestFaults(at: string[], operation: Operation, exchange: Exchange, params: Record<string, string>) {
    const query = new URL(exchange.path, 'http://edge').searchParams;
    const faults: string[] = [];
    const known = new Set<string>();
    for (const [i, { name, in: where, required }] of (operation.parameters ?? []).entries()) {
      if (where === 'query') known.add(name);
      const all =
        where === 'query' ? query.getAll(name) : [parameterOf(where, name)].filter((each) => each !== undefined);
      if (all.length === 0 && required) faults.push(`${name} is missing`);
      if (all.length > 1) faults.push(`${name} is repeated`);
      for (const text of all) {
        const value = /^\d+$/.test(text) && name === 'limit' ? Number(text) : text;
        faults.push(...validate([...at, 'parameters', String(i), 'schema'], value).map((fault) => `${name}${fault}`));
      }
    }
    for (const name of query.keys()) if (!known.has(name)) faults.push(`${name} is unknown`);
    if (operation.requestBody !== undefined) {
      const schema = [...at, 'requestBody', 'content', 'application/json', 'schema'];
      faults.push(...validate(schema, parse(exchange.requestBody ?? '')));
    }
    return faults;

    function parameterOf(where: string, name: string): string | undefined {
      const text = where === 'path' ? params[name] : exchange.requestHeaders[name.toLowerCase()];
      return where === 'path' && text !== undefined ? decodeURIComponent(text) : text;
    }
  }

  return async (exchange) => {
    const { method, path, response } = exchange;
    const found = findOperation(method.toLowerCase(), new URL(path, 'http://edge').pathname);
    // The document describes 405 for other methods of its paths, and nothing of unknown paths.
    if (found === undefined) return [405, 404].includes(response.status) ? [] : ['the operation is not documented'];
    const at = ['paths', found.path, method.toLowerCase()];
    const operation = document.paths[found.path]?.[method.toLowerCase()] as Operation;
    const described = operation.responses[response.status];
    if (described === undefined) return [`status ${response.status} is not documented`];
    const faults: string[] = [];
    for (const [name, { required }] of Object.entries(described.headers ?? {}))
      if (required && !response.headers.has(name)) faults.push(`${name} is missing`);
    faults.push(...(await findBodyFaults([...at, 'responses', String(response.status)], described, response, method)));
    const requestFaults = findRequestFaults(at, operation, exchange, found.params);
    if (response.status === 200 && requestFaults.length > 0) faults.push(`200 for a wrong request: ${requestFaults}`);
    if (response.status === 400 && requestFaults.length === 0) faults.push('400 for a request that is right');
    return faults;
  };

  async function findBodyFaults(at: string[], described: Response_, response: Response, method: string) {
    const text = await response.text();
    const types = Object.keys(described.content ?? {});
    if (method === 'HEAD' || types.length === 0) return text === '' ? [] : ['there is a body'];
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    if (!types.includes(type)) return [`the type ${type} is not documented`];
    return validate([...at, 'content', type, 'schema'], parse(text));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
