// `earshot recovery`: what a backup of Bigtable lacks is saved outside of it, and applied to a restored instance.
import { Command } from 'commander';
import { instanceIdOf } from '../../origin/bigtable/manifest-row.ts';
import { asOption, dryRunOption, parseDuration, parseMoment, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { UsageError } from '../cli/usage-error.ts';
import { findUserRef } from '../cli/user-ref.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { readRegions } from '../release/gate/serving-regions.ts';
import { whoIs } from '../release/who.ts';
import { applyRecovery } from './apply.ts';
import { readRecoveryFile } from './recovery-file.ts';
import { saveRecovery } from './save.ts';

interface ApplyFlags extends ControlFlags {
  readonly takenAt?: number;
  readonly withoutOrigins?: boolean;
  readonly wait?: number;
  readonly why: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

const DEFAULT_WAIT_MS = 600_000;

const saveHelp = `
The file has the manifest, its documents, the record of every erasure and the keep-out list, with users by
reference only. Keep it outside of the instance. \`earshot erase\` saves it by itself if EARSHOT_RECOVERY_FILE names it.

Examples:
  $ npx earshot recovery save recovery.json
  $ npx earshot recovery save gs://earshot-recovery/production.json`;

const applyHelp = `
Before anything is served from the restored instance: rows of users that were erased after the backup are deleted in
every cluster, records and blocked items of after the backup are written, and the manifest gets a version above
every one that a reader may hold. Origins refuse the instance until then. A call that was killed is made again.

Examples:
  $ npx earshot recovery apply recovery.json --instance recs-2 --dry-run --why "recs is lost"
  $ npx earshot recovery apply gs://earshot-recovery/production.json --instance recs-2 --why "recs is lost"`;

export const makeRecoveryCommand = (): Command =>
  new Command('recovery').addCommand(makeSave()).addCommand(makeApply());

const makeSave = (): Command =>
  new Command('save')
    .description('Saves what a later restore of a backup has to know: the manifest and every erasure.')
    .argument('<file>', 'a path, or gs://BUCKET/OBJECT; an existing file is replaced')
    .addOption(controlProfileOption())
    .addHelpText('after', saveHelp)
    .action(async (path: string, _options: unknown, own: Command) => save(path, own.optsWithGlobals()));

const makeApply = (): Command =>
  new Command('apply')
    .description('Adopts an instance that was restored from backups: replays erasures, then raises the manifest.')
    .argument('<file>', 'the file of `npx earshot recovery save`')
    .option('--taken-at <moment>', 'the earliest backup, if Bigtable does not name it', parseMoment)
    .option('--without-origins', 'no origin runs any more, and the file has every erasure')
    .option('--wait <duration>', 'maximum wait for every cluster (default: 10m)', parseDuration)
    .addOption(asOption())
    .addOption(whyOption().makeOptionMandatory())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', applyHelp)
    .action(async (path: string, _options: unknown, own: Command) => apply(path, own.optsWithGlobals()));

async function save(path: string, flags: ControlFlags): Promise<void> {
  const userRef = findUserRef(flags);
  await withControl(flags, async (control) => {
    const { manifest, erasures } = await saveRecovery(control, { path, userRef, origins: findOrigins(flags) });
    process.stdout.write(`${path}: version ${manifest.version}, ${formatPlural(erasures.length, 'erasure')}\n`);
  });
}

async function apply(path: string, flags: ApplyFlags): Promise<void> {
  const { why, dryRun = false } = flags;
  if (why.trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  const userRef = findUserRef(flags);
  const file = await readRecoveryFile(path);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    await applyRecovery(control, {
      ...{ file, userRef, origins: findOrigins(flags), withoutOrigins: flags.withoutOrigins ?? false },
      ...{ takenAtMs: flags.takenAt, regions: await readRegions(control), waitMs: flags.wait ?? DEFAULT_WAIT_MS },
      ...{ by: await whoIs(flags), why, dryRun, say: (line) => process.stdout.write(`${line}\n`) },
    });
    if (dryRun) return;
    process.stdout.write(
      `next: restart the origins with EARSHOT_INSTANCE=${instanceIdOf(control.bigtable)}, region by region\n`,
    );
  });
}
