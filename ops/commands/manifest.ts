// `earshot manifest show`: what is live now.
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { readManifest } from '../../origin/bigtable/manifest-row.ts';
import { systemClock } from '../../shared/clock.ts';
import { formatGeneration } from '../../shared/generation.ts';
import type { Surface, Variant } from '../../shared/manifest.ts';
import { rampFraction } from '../../shared/rollout.ts';
import { formatDuration } from '../format.ts';
import { type ConnectionFlags, withConnection } from '../settings.ts';

const TIMEOUT_MS = 10_000;

interface Flags extends ConnectionFlags {
  readonly json?: boolean;
}

export const makeManifestCommand = (): Command =>
  new Command('manifest').description('what is live').addCommand(
    new Command('show')
      .description('Shows which variants and generations each surface serves, and to what share of its listeners.')
      .option('--json', 'print the manifest as it is stored')
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
  for (const [name, surface] of Object.entries(manifest.surfaces)) process.stdout.write(describeSurface(name, surface));
}

function describeSurface(name: string, { salt, listTtlSeconds, variants }: Surface): string {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0);
  const width = Math.max(...variants.map((variant) => variant.name.length));
  const lines = variants.map((variant) => {
    const share = `${((100 * variant.weight) / total).toFixed(1).padStart(5)} %`;
    return `  ${variant.name.padEnd(width)}  ${share}  ${formatGeneration(variant.current)}${describeFlip(variant)}`;
  });
  return `${name}, salt ${salt}, lists kept ${formatDuration(listTtlSeconds * 1000)}\n${lines.join('\n')}\n`;
}

function describeFlip({ previous, flip }: Variant): string {
  if (previous === undefined) return '';
  const before = ` (before: ${formatGeneration(previous)}`;
  if (flip === undefined) return `${before})`;
  return `${before}, flip ${Math.floor(100 * rampFraction(flip, systemClock.now()))} % done)`;
}
