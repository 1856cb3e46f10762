// The examples, each run by the commands in its README against a local cloud.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runNode, spawnNode, type TestCloud } from '../../bench/rigs/local-cloud.ts';
import { findFreePorts } from '../../bench/support/free-ports.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';

const BROWSER = '/usr/bin/chromium';
const BROWSER_ARGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

let cloud: TestCloud;
let pagePort: number;

beforeAll(async () => {
  [pagePort = 0] = await findFreePorts(1);
  cloud = await startTestCloud('--cors', `http://127.0.0.1:${pagePort}`);
});

afterAll(async () => {
  await cloud.stop();
});

test('the batch service prints a list per user, and the problem of a read that failed', async () => {
  const token = await cloud.mintToken('service:1', 'recs:read:any');
  const env = { EARSHOT_URL: cloud.edgeUrl, EARSHOT_TOKEN: token };
  const { code, stdout } = await runNode(['examples/batch-service/read-batch.ts', 'listener:1', '~no'], env);
  const [first, second] = stdout.trimEnd().split('\n');
  expect(code).toBe(0);
  expect(first).toMatch(/^listener:1: personal, track:\d+ track:\d+ track:\d+$/);
  expect(second).toMatch(/^~no: expected user to be /);
});

test('the batch service names the refusal of a token without the scope', async () => {
  const env = { EARSHOT_URL: cloud.edgeUrl, EARSHOT_TOKEN: await cloud.mintToken('listener:1') };
  const { code, stderr } = await runNode(['examples/batch-service/read-batch.ts', 'listener:2'], env);
  expect([code, stderr]).toEqual([1, expect.stringContaining('the token lacks the scope recs:read:any')]);
});

const isRequired = process.env.EARSHOT_REQUIRE_BROWSER === '1';

describe.skipIf(!isRequired && !existsSync(BROWSER))('the listener page (skipped without /usr/bin/chromium)', () => {
  test('shows the home of the token in a browser, and the problem of a broken token', async () => {
    const args = ['--port', String(pagePort), '--edge', cloud.edgeUrl];
    const server = spawnNode(['examples/listener-page/server.ts', ...args]);
    onTestFinished(() => void server.child.kill());
    await server.printed('shows lists from');
    const browser = await chromium.launch({ executablePath: BROWSER, args: BROWSER_ARGS });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${pagePort}/`);

    await page.fill('input', await cloud.mintToken('listener:1'));
    await page.click('button');
    await page.waitForSelector('li');
    expect(await page.textContent('#status')).toMatch(/^personal list of listener:1, 20/);
    expect(await page.locator('li').count()).toBe(10);

    await page.fill('input', 'nonsense');
    await page.click('button');
    await page.waitForSelector('#status.problem');
    expect(await page.textContent('#status')).toBe('the token is not valid');
  });
});
