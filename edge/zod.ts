// The members of zod that the worker uses, in place of zod itself (the alias in wrangler.toml). @hono/zod-openapi
// passes zod's whole namespace to a function, so no bundler can drop unused members. This namespace has only the
// members below. No file imports it: code imports `zod`, and bundle.test.ts refuses a member that is missing here.
export {
  array,
  boolean,
  enum,
  int,
  iso,
  literal,
  looseObject,
  NEVER,
  number,
  object,
  record,
  strictObject,
  string,
  tuple,
  union,
  url,
  ZodType,
} from 'zod/v4';
export * as z from './zod.ts';
