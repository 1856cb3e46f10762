// `npm run deploy:staging` and `npm run deploy:production`: the steps of a gradual deployment of the worker. Without
// --step it bundles the worker, prints every step, and uploads nothing. `-- --step NAME` takes that step for real.
//
// The order, and the way back, are in docs/deploying.md. The ids of versions come from `wrangler versions list`.
import { execFileSync, spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const ENVIRONMENTS = ['staging', 'production'];
const EXIT_USAGE = 2;
const PLACEHOLDER = { next: 'NEXT_ID', live: 'LIVE_ID' };

/** The steps in their order. `upload` prints the id of the next version. */
const makeSteps = ({ environment, build, next, live }) => [
  { name: 'upload', args: ['versions', 'upload', '--env', environment, '--tag', build] },
  { name: 'zero', args: deploy(environment, `${next}@0%`, `${live}@100%`) },
  { name: 'few', args: deploy(environment, `${next}@5%`, `${live}@95%`) },
  { name: 'half', args: deploy(environment, `${next}@50%`, `${live}@50%`) },
  { name: 'all', args: deploy(environment, `${next}@100%`) },
  { name: 'back', args: deploy(environment, `${live}@100%`) },
];

const deploy = (environment, ...shares) => ['versions', 'deploy', ...shares, '--env', environment, '--yes'];

function fail(message) {
  process.stderr.write(`deploy: ${message}\n`);
  process.exit(EXIT_USAGE);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { step: { type: 'string' }, next: { type: 'string' }, live: { type: 'string' } },
});
const [environment = ''] = positionals;
if (!ENVIRONMENTS.includes(environment) || positionals.length !== 1)
  fail(`expected one of ${ENVIRONMENTS.join(', ')}, got ${positionals.join(' ') || 'nothing'}`);
for (const name of ['next', 'live'])
  if (values[name] !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(values[name]))
    fail(`expected --${name} to be the id of a version, as \`wrangler versions list\` prints it, got ${values[name]}`);

const build = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
const steps = makeSteps({ environment, build, ...PLACEHOLDER, ...values });

if (values.step === undefined) {
  const { status } = spawnSync('npx', ['wrangler', 'deploy', '--dry-run', '--env', environment], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
  process.stdout.write(`\nThe steps for the worker earshot-${environment}, build ${build}. None has been taken.\n`);
  for (const { name, args } of steps) process.stdout.write(`  ${name.padEnd(7)} npx wrangler ${args.join(' ')}\n`);
  process.stdout.write(
    `Take one with: npm run deploy:${environment} -- --step NAME [--next NEXT_ID] [--live LIVE_ID]\n`,
  );
} else {
  const step = steps.find(({ name }) => name === values.step);
  if (step === undefined) fail(`expected --step to be one of ${steps.map(({ name }) => name).join(', ')}`);
  if (build.endsWith('-dirty') && step.name === 'upload')
    fail('expected a clean checkout: the build is named after it');
  const missing = Object.keys(PLACEHOLDER).filter((name) => step.args.some((arg) => arg.startsWith(PLACEHOLDER[name])));
  if (missing.length > 0)
    fail(`expected ${missing.map((name) => `--${name} ID`).join(' and ')} for the step ${step.name}`);
  process.exit(spawnSync('npx', ['wrangler', ...step.args], { stdio: 'inherit' }).status ?? 1);
}
