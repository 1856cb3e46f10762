// Faults of the isolation between users, as replacements in the code. The isolation drill has to find each of them
// (test/drills/mutations.test.ts). EARSHOT_MUTATION names the one that the tests run with; it is not set otherwise.

export interface Replacement {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

const READ = 'edge/routes/read.ts';
const BATCH = 'edge/routes/batch/handler.ts';
const CHECK = '  checkAccess(caller.identity, [read], debug);';
const withoutCheck: Replacement = { file: READ, from: CHECK, to: '' };

export const MUTATIONS: Readonly<Record<string, readonly Replacement[]>> = {
  'the cache key has no user': [
    {
      file: 'shared/domain/keys.ts',
      from: '{user}`;\n  if',
      to: "{''}`;\n  if",
    },
  ],
  'a single read needs no scope': [withoutCheck],
  'a 304 is decided before access': [
    withoutCheck,
    { file: READ, from: '    respondWithList({', to: '    checked(respondWithList({' },
    { file: READ, from: 'c.executionCtx.waitUntil(work),\n    });', to: 'c.executionCtx.waitUntil(work),\n    }));' },
    {
      file: READ,
      from: '  const respond: Respond =',
      to: `  const checked = (response: Response): Response => {
    if (response.status !== 304) checkAccess(caller.identity, [read], debug);
    return response;
  };
  const respond: Respond =`,
    },
    {
      file: READ,
      from: '    throw served;',
      to: '    checkAccess(caller.identity, [read], debug);\n    throw served;',
    },
  ],
  'the results of a batch are shifted by one': [
    {
      file: BATCH,
      from: 'outcomes.values();',
      to: '[...outcomes.slice(1), ...outcomes.slice(0, 1)].values();',
    },
  ],
  'a load is joined by other users': [
    {
      file: 'edge/reads/read-through.ts',
      from: 'flights.run(makeCacheKey(request.key), {',
      to: "flights.run(makeCacheKey({ ...request.key, user: '~popular' as never }), {",
    },
  ],
  'the frames of an origin are in another order': [
    {
      file: 'shared/wire/read-response.ts',
      from: '  return results;\n}\n\nfunction frameHeader',
      to: '  return results.reverse();\n}\n\nfunction frameHeader',
    },
  ],
  'the key in the data centre has no user': [
    {
      file: 'edge/tiers/colo.ts',
      from: 'encodeURIComponent(key)',
      to: "encodeURIComponent(key.split('/').slice(0, 3).join('/'))",
    },
    { file: 'edge/tiers/colo.ts', from: "headers.get('earshot-key') === key ?", to: 'status === 200 ?' },
  ],
  'a region object reads for one user of the call': [
    {
      file: 'edge/region/region-lists.ts',
      from: 'lists.read(reads, call)',
      to: 'lists.read(reads.map((each) => ({ ...each, key: { ...each.key, user: reads[0].key.user } })), call)',
    },
  ],
  'the reads of a batch need no scope': [{ file: BATCH, from: '  checkAccess(identity, valid, debug);', to: '' }],
  'the absence of a list is told before access': [
    withoutCheck,
    {
      file: READ,
      from: '    throw served;\n  }\n',
      to: '    throw served;\n  }\n  checkAccess(caller.identity, [read], debug);\n',
    },
    {
      file: READ,
      from: "  timings.addInstant('manifest');",
      to: "  checkAccess(caller.identity, [read], debug); timings.addInstant('manifest');",
    },
  ],
  'an ETag does not depend on its list': [
    {
      file: 'edge/respond/etag.ts',
      from: 'limit: number): string {',
      to: "limit: number): string { digest = 'd'; prefix = '';",
    },
  ],
  'the results of one call of an object are given to the wrong keys': [
    { file: 'edge/region/batcher.ts', from: 'results[i] as LoadResult;', to: 'results[results.length - 1 - i];' },
  ],
  'the answers of an object are in another order': [
    {
      file: 'edge/region/region-objects.ts',
      from: 'answer.reads[i] : undefined;',
      to: 'answer.reads[answer.reads.length - 1 - i] : undefined;',
    },
  ],
  'the owner of a problem in a batch is another read': [
    { file: BATCH, from: 'owner: { user: read.user,', to: 'owner: { user: reads[0].user,' },
  ],
  'debug output needs no scope': [
    { file: 'edge/identity/access.ts', from: "  if (debug) requireScope(identity, 'recs:debug');", to: '' },
  ],
  'an answer may be stored by shared caches': [
    { file: 'edge/respond/list.ts', from: '`private, max-age=', to: '`public, max-age=' },
  ],
};

/** A plugin of Vite that makes the mutation of this name. Throws an Error for another name. */
export function mutate(name: string, root: string) {
  const replacements = MUTATIONS[name];
  if (replacements === undefined)
    throw new Error(`expected EARSHOT_MUTATION to be one of ${Object.keys(MUTATIONS).join(', ')}, got ${name}`);
  return {
    name: 'earshot-mutation',
    enforce: 'pre' as const,
    transform: (code: string, id: string): string =>
      applyAll(
        code,
        replacements.filter(({ file }) => id.split('?')[0] === `${root}/${file}`),
      ),
  };
}

/** Throws an Error for a text that does not occur once. */
export function applyAll(code: string, replacements: readonly Replacement[]): string {
  return replacements.reduce((mutated, { file, from, to }) => {
    const times = mutated.split(from).length - 1;
    if (times !== 1) throw new Error(`expected ${file} to have this text once, got it ${times} times: ${from}`);
    return mutated.replace(from, () => to);
  }, code);
}
