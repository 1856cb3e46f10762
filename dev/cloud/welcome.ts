// What `npm start` prints when all is ready: what runs where, a call to try, and what to try next.
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import type { RunningCloud } from './local-cloud.ts';

export async function describeCloud(
  cloud: RunningCloud,
  { howToEnd, logs }: { howToEnd: string; logs: string },
): Promise<string> {
  const parts = cloud.parts.map((part) => `  ${part}\n`).join('');
  return `\nEarshot is ready.\n\n${parts}  logs      ${logs}\n\n${await describeTrials(cloud)}\n${howToEnd}\n`;
}

async function describeTrials({ edgeUrl, tokenSecret, listener }: RunningCloud): Promise<string> {
  if (listener === undefined) return 'Nothing was loaded. Publish something: npx earshot ingest --help\n';
  const { user, surface } = listener;
  const token = await mintToken(
    { user, scope: [], audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS },
    tokenSecret,
  );
  return `Ask for the recommendations of ${user}:

  curl -i -H "Authorization: Bearer ${token}" "${edgeUrl}/v1/me/recommendations/${surface}?limit=5"

Then try
  - the same again: Cache-Status says that the isolate had it
  - -H "Earshot-Dev-Location: NRT" (or LHR, SFO, ...): as if from there
  - npx earshot token --user ${user}: another token; --help tells of its scopes
  - npx earshot manifest show: what is live
  - npx earshot status --watch: the regions, and what each tier serves
  - npx earshot fault europe --down: break a region and watch; npx earshot fault --heal: mend it
  - npx earshot ingest --help: load lists of your own
  - ${edgeUrl}/openapi.json: the whole interface
`;
}
