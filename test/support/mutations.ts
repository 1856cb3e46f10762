// Faults of the isolation between users, as replacements in the code. The isolation drill must find each of them
// (test/drills/mutations.test.ts). EARSHOT_MUTATION names the one that the tests run with. It is never set otherwise.

export interface Mutation {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

export const MUTATIONS: Readonly<Record<string, readonly Mutation[]>> = {
  'the cache key has no user': [
    {
      file: 'shared/domain/keys.ts',
      from: `  expand === undefined
    ? \`\${surface}/\${variant}/\${generation}/\${user}\``,
      to: `  expand === undefined
    ? \`\${surface}/\${variant}/\${generation}/\${user.slice(0, 0)}\``,
    },
  ],
  'the key of a single read needs no scope': [
    { file: 'edge/routes/read.ts', from: '  checkAccess(caller.identity, [read], debug);', to: '' },
  ],
  'the reads of a batch need no scope': [
    { file: 'edge/routes/batch/handler.ts', from: '  checkAccess(identity, valid, debug);', to: '' },
  ],
  'a 304 is decided before access': [
    { file: 'edge/routes/read.ts', from: '  checkAccess(caller.identity, [read], debug);', to: '' },
    {
      file: 'edge/routes/read.ts',
      from: `  const respond: Respond = (served, manifest, regions) =>
    respondWithList({`,
      to: `  const checked = (response: Response): Response => {
    if (response.status !== 304) checkAccess(caller.identity, [read], debug);
    return response;
  };
  const respond: Respond = (served, manifest, regions) =>
    checked(respondWithList({`,
    },
    {
      file: 'edge/routes/read.ts',
      from: `      regions,
    });`,
      to: `      regions,
    }));`,
    },
  ],
  'the absence of a list is told before access': [
    { file: 'edge/routes/read.ts', from: '  checkAccess(caller.identity, [read], debug);', to: '' },
    {
      file: 'edge/routes/read.ts',
      from: '  if (served instanceof EarshotError) throw served;',
      to: '  if (served instanceof EarshotError) throw served; checkAccess(caller.identity, [read], debug);',
    },
    {
      file: 'edge/routes/read.ts',
      from: "  timings.addInstant('manifest');",
      to: "  checkAccess(caller.identity, [read], debug); timings.addInstant('manifest');",
    },
  ],
  'an ETag does not depend on its list': [
    {
      file: 'edge/respond/etag.ts',
      from: 'return `"${digest}-${hashText(prefix)}-${limit}"`;',
      to: 'return `"${digest.slice(0, 0)}-${hashText(prefix.slice(0, 5))}-${limit}"`;',
    },
  ],
  'the results of a batch are shifted by one': [
    {
      file: 'edge/routes/batch/handler.ts',
      from: '  const rest = outcomes.values();',
      to: '  const rest = [...outcomes.slice(1), ...outcomes.slice(0, 1)].values();',
    },
  ],
  'a load is joined by other users': [
    {
      file: 'edge/reads/read-through.ts',
      from: 'flights.run(makeCacheKey(request.key), {',
      to: "flights.run(makeCacheKey({ ...request.key, user: '~popular' as never }), {",
    },
  ],
  'the results of one call are given to the wrong keys': [
    {
      file: 'edge/region/batcher.ts',
      from: 'const result = results[i] as LoadResult;',
      to: 'const result = results[results.length - 1 - i] as LoadResult;',
    },
  ],
  'the key in the data centre has no user': [
    {
      file: 'edge/tiers/colo.ts',
      from: '`${keyOrigin}/.earshot/lists/${encodeURIComponent(key)}`;',
      to: "`${keyOrigin}/.earshot/lists/${encodeURIComponent(key.split('/').slice(0, 3).join('/'))}`;",
    },
    {
      file: 'edge/tiers/colo.ts',
      from: "return response.headers.get('earshot-key') === key ? decodeEntry(response.headers, bytes) : undefined;",
      to: 'return decodeEntry(response.headers, bytes);',
    },
  ],
  'the key in a region object has no user': [
    {
      file: 'edge/region/region-lists.ts',
      from: '(await lists.read(reads, call))',
      to: '(await lists.read(reads.map((read) => ({ ...read, key: { ...read.key, user: reads[0]?.key.user as never } })), call))',
    },
  ],
  'the answers of a shard are in another order': [
    {
      file: 'edge/region/region-objects.ts',
      from: "answer.kind === 'reads' ? answer.reads[i] : undefined;",
      to: "answer.kind === 'reads' ? answer.reads[answer.reads.length - 1 - i] : undefined;",
    },
  ],
  'the frames of an origin are in another order': [
    {
      file: 'shared/wire/read-response.ts',
      from: '  return results;\n}\n\nfunction frameHeader',
      to: '  return results.reverse();\n}\n\nfunction frameHeader',
    },
  ],
  'the owner of a failure is another read': [
    {
      file: 'edge/routes/batch/handler.ts',
      from: 'return { owner: { user: read.user, surface: read.surface }, error: served };',
      to: 'return { owner: { user: (reads[0] as BatchRead).user, surface: read.surface }, error: served };',
    },
  ],
  'debug output needs no scope': [
    { file: 'edge/identity/access.ts', from: "  if (debug) requireScope(identity, 'recs:debug');", to: '' },
  ],
  'an answer may be stored by shared caches': [
    { file: 'edge/respond/list.ts', from: '`private, max-age=', to: '`public, max-age=' },
  ],
};

/** A plugin of Vite that applies `name`. Throws an Error for an unknown name, or for a text that does not occur once. */
export function mutate(name: string, root: string) {
  const mutations = MUTATIONS[name];
  if (mutations === undefined)
    throw new Error(`expected EARSHOT_MUTATION to be one of ${Object.keys(MUTATIONS).join(', ')}, got ${name}`);
  return {
    name: 'earshot-mutation',
    enforce: 'pre' as const,
    transform: (code: string, id: string): string => {
      let mutated = code;
      for (const { file, from, to } of mutations) {
        if (id.split('?')[0] !== `${root}/${file}`) continue;
        if (mutated.split(from).length !== 2) throw new Error(`expected ${file} to have once: ${from}`);
        mutated = mutated.replace(from, () => to);
      }
      return mutated;
    },
  };
}
