// The welcome message of `npm start`: the parts, an example call, and what to try. It fits on one screen.
import { join } from 'node:path';
import { formatTable } from '../../ops/cli/format.ts';
import { describeBackend, ignoredVariables } from '../backend.ts';
import { findListener } from '../data/load-data.ts';
import { makeRegions } from '../topology.ts';
import type { RunningCloud } from './local-cloud.ts';

export async function describeCloud(cloud: RunningCloud, howToEnd: string): Promise<string> {
  const sections = [
    'Earshot is ready.\n',
    describeParts(cloud),
    await describeNextSteps(cloud),
    [...noteLines(cloud), howToEnd].map((line) => `${line}\n`).join(''),
  ];
  return `\n${sections.join('\n')}`;
}

function describeParts({ options, backend, edgeUrl, tracesUrl }: RunningCloud): string {
  const { ports, stateDirectory, wan } = options;
  return formatTable([
    ['  edge', edgeUrl, `wrangler dev${wan ? ', calls to regions delayed by distance' : ''}`],
    ...makeRegions(ports.origins).map(({ name, origin }) => [`  origin/${name}`, origin, '']),
    ['  bigtable', describeBackend(backend), ''].filter((cell) => cell !== ''),
    ...(tracesUrl === undefined ? [] : [['  traces', tracesUrl]]),
    ['  logs', join(stateDirectory, 'logs')],
  ]);
}

async function describeNextSteps({ data, edgeUrl }: RunningCloud): Promise<string> {
  const listener = data === undefined ? undefined : await findListener(data);
  if (listener === undefined) return 'No data is loaded. To load and publish lists: npx earshot ingest --help\n';
  const { user, surface } = listener;
  const steps = [
    ['the same again', 'Cache-Status reports a hit in the isolate'],
    ['-H "Earshot-Dev-Location: NRT"', 'from another place: LHR, SFO, ...'],
    ['npx earshot manifest show', 'what is live'],
    ['npx earshot status --watch', 'the regions, the hits of each tier, the parts'],
    ['npx earshot fault europe --down', 'take a region down; npx earshot fault --heal brings it back'],
    ['npx earshot fault origin/asia --kill', 'kill a process; it is started again'],
    ['npx earshot ingest --help', 'load your own lists'],
    [`curl ${edgeUrl}/openapi.json`, 'the API description'],
  ];
  return `The recommendations of ${user}:

  curl -i -H "Authorization: Bearer $(npx earshot token --user ${user})" \\
    "${edgeUrl}/v1/me/recommendations/${surface}?limit=5"

Then try, in this directory
${formatTable(steps.map(([command = '', effect = '']) => [`  ${command}`, effect]))}`;
}

function noteLines({ backend, devVars }: RunningCloud): string[] {
  const ignored = ignoredVariables(process.env, backend);
  return [
    ...(devVars === 'foreign' ? ['`npx wrangler dev` uses your .dev.vars, which `npm start` has not changed.'] : []),
    ...(devVars === 'written' ? ['`npx wrangler dev` serves from this cloud, too.'] : []),
    ...(ignored.length === 0
      ? []
      : [`${ignored.join(' and ')} set and not used: --real PROJECT/INSTANCE uses a real instance.`]),
  ];
}
