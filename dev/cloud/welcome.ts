// The welcome message of `npm start`: parts and addresses, an example call, and next steps.
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import type { RunningCloud } from './local-cloud.ts';

export async function describeCloud(
  cloud: RunningCloud,
  { howToEnd, logs }: { howToEnd: string; logs: string },
): Promise<string> {
  const parts = cloud.parts.map((part) => `  ${part}\n`).join('');
  return `\nEarshot is ready.\n\n${parts}  logs      ${logs}\n\n${await describeNextSteps(cloud)}\n${howToEnd}\n`;
}

async function describeNextSteps({ edgeUrl, tokenSecret, listener }: RunningCloud): Promise<string> {
  if (listener === undefined) return 'No data is loaded. To load and publish lists: npx earshot ingest --help\n';
  const { user, surface } = listener;
  const token = await mintToken(
    { user, scope: [], audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS },
    tokenSecret,
  );
  return `Read the recommendations of ${user}:

  curl -i -H "Authorization: Bearer ${token}" "${edgeUrl}/v1/me/recommendations/${surface}?limit=5"

Then try
  - the same call again: Cache-Status reports a hit in the isolate
  - -H "Earshot-Dev-Location: NRT" (or LHR, SFO, ...): the same call from another place
  - npx earshot token --user ${user}: another token; --help lists its scopes
  - npx earshot manifest show: the live generations
  - npx earshot status --watch: the state of the regions and the hits of each tier
  - npx earshot fault europe --down: take a region down; npx earshot fault --heal: bring it back
  - npx earshot ingest --help: load your own lists
  - ${edgeUrl}/openapi.json: the API description
`;
}
