// Reads the home lists of several users in one request:
// `EARSHOT_TOKEN=... node examples/batch-service/read-batch.ts USER...`. The token needs the scope recs:read:any.

interface Problem {
  readonly title: string;
  readonly detail?: string;
}

type Result =
  | { readonly status: 200; readonly user: string; readonly source: string; readonly items: readonly { id: string }[] }
  | { readonly status: 400 | 404 | 500 | 503 | 504; readonly user?: string; readonly problem: Problem };

const { EARSHOT_URL = 'http://127.0.0.1:8787', EARSHOT_TOKEN } = process.env;
const users = process.argv.slice(2);

/** One result per user, in order. A failed read has a problem in its place. */
async function readBatch(token: string): Promise<readonly Result[]> {
  const response = await fetch(`${EARSHOT_URL}/v1/recommendations:batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ reads: users.map((user) => ({ user, surface: 'home', limit: 3 })) }),
    signal: AbortSignal.timeout(5_000),
  });
  const answer = (await response.json()) as { results: readonly Result[] } & Problem;
  if (!response.ok) throw new Error(`${response.status} ${answer.title} ${answer.detail ?? ''}`);
  return answer.results;
}

function describe(user: string, result: Result): string {
  if (result.status !== 200) return `${user}: ${result.problem.detail ?? result.problem.title}`;
  return `${user}: ${result.source}, ${result.items.map(({ id }) => id).join(' ')}`;
}

if (EARSHOT_TOKEN === undefined || users.length === 0) {
  console.error('expected EARSHOT_TOKEN and at least one USER: docs are in examples/README.md');
  process.exitCode = 2;
} else {
  try {
    for (const [i, result] of (await readBatch(EARSHOT_TOKEN)).entries()) console.log(describe(users[i] ?? '', result));
  } catch (error) {
    console.error(`read-batch: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
