// The worker through its own entry, as Cloudflare calls it: real clock, real caches, each request in its own context.
import { exports } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keyOf, makeList, makeManifest } from './support/lists.ts';
import { createScriptedOrigins, type ScriptedOrigins } from './support/scripted-origins.ts';
import { signToken } from './support/tokens.ts';

let origins: ScriptedOrigins;

beforeEach(() => {
  origins = createScriptedOrigins(makeManifest());
  vi.spyOn(globalThis, 'fetch').mockImplementation((url, init) => origins.fetch(String(url), init ?? {}));
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function get(path: string, sub = 'ann'): Promise<Response> {
  const authorization = `Bearer ${await signToken({ sub, nowMs: Date.now() })}`;
  return exports.default.fetch(`https://earshot.test${path}`, { headers: { authorization } });
}

test('a burst of strangers on a fresh isolate asks for one manifest, and each gets their own list', async () => {
  const users = Array.from({ length: 30 }, (_, i) => `u${i}`);
  for (const user of users) origins.put(keyOf(user), makeList(user, 3));
  const bodies = await Promise.all(
    users.map(async (user) => (await get('/v1/me/recommendations/home', user)).json() as Promise<{ items: object[] }>),
  );
  for (const [i, user] of users.entries()) {
    expect(bodies[i]).toMatchObject({ user, source: 'personal', items: [{ id: `${user}:1` }, {}, {}] });
  }
  expect(origins.manifestReads()).toHaveLength(1);
});

test('a first read goes through the object of its region, a second comes from the isolate', async () => {
  origins.put(keyOf('ann'), makeList('a'));
  const first = await get('/v1/me/recommendations/home');
  const second = await get('/v1/me/recommendations/home');
  expect(first.headers.get('cache-status')).toMatch(
    /^origin-([a-z]+); fwd=miss; fwd-status=200, region-\1; fwd=miss; stored, colo; fwd=miss; stored, isolate; fwd=miss; stored$/,
  );
  expect(second.headers.get('cache-status')).toMatch(/^isolate; hit; ttl=\d+$/);
  expect(await second.text()).toBe(await first.text());
});

test('its entries in the data centre’s cache cannot be read from outside', async () => {
  const cached = await get('/.earshot/manifest');
  expect(cached.status).toBe(404);
  expect(await caches.default.match('https://earshot.test/.earshot/manifest')).toBeUndefined();
});
