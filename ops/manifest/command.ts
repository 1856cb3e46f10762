// `earshot manifest show`: the live surfaces, variants and generations.
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { readManifest } from '../../origin/bigtable/manifest-row.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type ConnectionFlags, withConnection } from '../cli/settings.ts';
import { describeSurface } from './describe-surface.ts';

const TIMEOUT_MS = 10_000;

interface Flags extends ConnectionFlags {
  readonly json?: boolean;
}

export const makeManifestCommand = (): Command =>
  new Command('manifest').addCommand(
    new Command('show')
      .description('Shows the variants and generations of each surface, with their shares of the listeners.')
      .option('--json', 'print the stored manifest')
      .addHelpText('after', '\nExample:\n  $ earshot manifest show --json')
      .action(async (_options: unknown, command: Command) => show(command.optsWithGlobals())),
  );

async function show(flags: Flags): Promise<void> {
  const { manifest, cell } = await withConnection(flags, (bigtable) =>
    readManifest(bigtable, APP_PROFILES.control, TIMEOUT_MS),
  );
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(manifest, null, 2)}\n`);
    return;
  }
  if (cell === undefined) {
    process.stdout.write('Nothing is published yet.\n');
    return;
  }
  process.stdout.write(`version ${manifest.version}, written ${new Date(cell.writtenAtMs).toISOString()}\n`);
  const nowMs = systemClock.now();
  for (const [name, surface] of Object.entries(manifest.surfaces)) {
    process.stdout.write(describeSurface(name, surface, nowMs));
  }
}
