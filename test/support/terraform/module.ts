// A Terraform module as data: its files are parsed by the parser of Terraform itself (HCL, compiled to WebAssembly).
// Expressions stay text: `${var.x * 2}`.
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from '@cdktf/hcl2json';

export type Value = string | number | boolean | null | Value[] | { readonly [name: string]: Value };
export type Body = { readonly [name: string]: Value };
type Labelled = { readonly [label: string]: readonly Body[] };

export interface Module {
  readonly variables: Labelled;
  readonly locals: Body;
  readonly outputs: Labelled;
  readonly providers: Labelled;
  /** By type, then by name. */
  readonly resources: { readonly [type: string]: Labelled };
  readonly data: { readonly [type: string]: Labelled };
  readonly settings: readonly Body[];
}

/** Text by file name. */
export type Texts = Readonly<Record<string, string>>;

/** The files of a folder with the extension `.tf`, or another one. */
export function readTexts(folder: string, extension = 'tf'): Texts {
  const files = globSync(`*.${extension}`, { cwd: folder }).sort();
  if (files.length === 0) throw new Error(`expected files *.${extension} in ${folder}, got none`);
  return Object.fromEntries(files.map((file) => [basename(file), readFileSync(join(folder, file), 'utf8')]));
}

interface ParsedFile {
  readonly variable?: Labelled;
  readonly locals?: readonly Body[];
  readonly output?: Labelled;
  readonly provider?: Labelled;
  readonly resource?: Module['resources'];
  readonly data?: Module['data'];
  readonly terraform?: readonly Body[];
}

/** Rejects with the place of the first error of syntax. */
export async function parseModule(texts: Texts): Promise<Module> {
  const files: ParsedFile[] = [];
  for (const [name, text] of Object.entries(texts)) files.push((await parse(name, text)) as ParsedFile);
  const byType = (parts: readonly Module['resources'][]): Module['resources'] => {
    const types = new Set(parts.flatMap((part) => Object.keys(part)));
    return Object.fromEntries([...types].map((type) => [type, Object.assign({}, ...parts.map((part) => part[type]))]));
  };
  return {
    variables: Object.assign({}, ...files.map(({ variable }) => variable)),
    locals: Object.assign({}, ...files.flatMap(({ locals = [] }) => locals)),
    outputs: Object.assign({}, ...files.map(({ output }) => output)),
    providers: Object.assign({}, ...files.map(({ provider }) => provider)),
    resources: byType(files.map(({ resource = {} }) => resource)),
    data: byType(files.map(({ data = {} }) => data)),
    settings: files.flatMap(({ terraform = [] }) => terraform),
  };
}

/** The values of a `.tfvars` file. */
export const parseValues = async (text: string): Promise<Body> => (await parse('values.tfvars', text)) as Body;
