// `earshot doctor`: looks at a whole deployment from here, and says what to do about each fault. It changes nothing.
import { Command } from 'commander';
import { EXIT, ExitError } from '../cli/exit-codes.ts';
import { formatPlural } from '../cli/format.ts';
import { findInstance, withConnection } from '../cli/settings.ts';
import { type DoctorFlags, findDeployment } from './deployment.ts';
import { diagnose } from './diagnose.ts';
import { examine } from './examine.ts';
import { type Finding, ok } from './finding.ts';

interface Flags extends DoctorFlags {
  readonly json?: boolean;
}

const help = `
Without --edge it looks at the local cloud. For a deployment these variables widen what it can see:
  EARSHOT_TOKEN          a token with recs:status, recs:debug and recs:read:any (or EARSHOT_TOKEN_SECRET)
  EARSHOT_ORIGINS        asia=https://asia.origin.example.com,... as in REGIONS
  EARSHOT_ORIGIN_SECRET  the ORIGIN_SECRET of the worker
  EARSHOT_HASH_KEY       the HASH_KEY of the worker, to see that it differs
Exit code 0: every check is ok or skipped. 1: at least one failed.

Examples:
  $ npx earshot doctor
  $ npx earshot doctor --edge https://recs.example.com --project PROJECT --instance INSTANCE --clusters asia=a,europe=e,us=u`;

export const makeDoctorCommand = (): Command =>
  new Command('doctor')
    .option('--edge <url>', 'the edge, for example https://recs.example.com (default: that of the local cloud)')
    .option('--clusters <region=cluster,...>', 'cluster of each region (or EARSHOT_CLUSTERS)')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(async (_options: unknown, command: Command) => run(command.optsWithGlobals()));

async function run(flags: Flags): Promise<void> {
  const deployment = await findDeployment(flags);
  const facts = await withConnection(flags, (bigtable) => examine(deployment, bigtable));
  const { project, instance } = findInstance(flags);
  const findings = [
    ok('target', `${deployment.edgeUrl} before ${project}/${instance}`),
    ...diagnose(deployment, facts),
  ];
  process.stdout.write(flags.json ? `${JSON.stringify(findings, undefined, 2)}\n` : findings.map(describe).join(''));
  const failures = findings.filter(({ state }) => state === 'failed').length;
  if (failures > 0)
    throw new ExitError(EXIT.failed, `${formatPlural(failures, 'fault')}; the first one may be the cause of others`);
}

const MARKS = { ok: 'ok      ', failed: 'FAILED  ', skipped: 'skipped ' } as const;

const describe = ({ check, state, found, remedy }: Finding): string =>
  `${MARKS[state]} ${check}: ${found}\n${remedy === undefined ? '' : `         -> ${remedy}\n`}`;
