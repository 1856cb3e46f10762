// Listeners with valid tokens whose lists no cache has yet. Each has to get its own list.
import { TOKEN_SECRET } from '../../../bench/rigs/edge-asks.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE, type Scope } from '../../../shared/domain/identity.ts';
import type { Part } from './deployment.ts';
import { itemOf } from './generators/texts.ts';
import { REQUIRED_SCOPE } from './generators/tokens.ts';

export const mint = (user: string, scope: Scope[]): Promise<string> =>
  mintToken({ user, scope, audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS }, TOKEN_SECRET);

/** The list of `user` at the worker. */
export async function readOwn({ port }: Part, user: string): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${await mint(user, [REQUIRED_SCOPE])}` };
  const response = await fetch(`http://127.0.0.1:${port}/v1/me/recommendations/home`, { headers });
  return { status: response.status, text: await response.text() };
}

/** The fault of the answer to the first read of `user`, if it has one. */
export async function findHealthyFaults(edge: Part, user: string): Promise<string[]> {
  const { status, text } = await readOwn(edge, user);
  const isPersonal = text.includes('"source":"personal"') && text.includes(`[{"id":"${itemOf(user)}"`);
  return status === 200 && isPersonal ? [] : [`expected the own list of ${user}, got ${status} ${text}`];
}
