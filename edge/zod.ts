// The members of zod that the worker uses, in the place of zod itself (the alias in wrangler.toml). @hono/zod-openapi hands zod's whole
// namespace to a function, so no bundler can tell what of it is never called; this namespace holds no more than is named here. Nothing
// imports this file: code says `zod`, and bundle.test.ts refuses a member that is missing here.
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
  prettifyError,
  record,
  strictObject,
  string,
  union,
  url,
  ZodType,
} from 'zod/v4';
export * as z from './zod.ts';
