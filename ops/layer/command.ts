// `earshot layer list`: the layers, the experiments in each, and the free slots.
import { Command } from 'commander';
import { BUCKETS, type Range, sizeOf, takeFree } from '../../shared/domain/experiments/schema.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatTable } from '../cli/format.ts';
import { percent, show, takenIn } from '../experiment/slots.ts';
import { readLive } from '../release/live.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export const makeLayerCommand = (): Command =>
  new Command('layer').addCommand(
    new Command('list')
      .description('The layers, the experiments in each, and what is free.')
      .option('--json', 'print JSON')
      .addOption(controlProfileOption())
      .addHelpText('after', '\nExample:\n  $ npx earshot layer list')
      .action(async (_options: unknown, own: Command) => list(own.optsWithGlobals())),
  );

async function list(flags: Flags): Promise<void> {
  const live = await withControl(flags, readLive);
  const experiments = Object.entries(live.experiments ?? {}).filter(([, { state }]) => state !== 'stopped');
  const layers = [...Map.groupBy(experiments, ([, { layer }]) => layer)].map(([layer, own]) => {
    const taken = takenIn(live, layer);
    const free: Range[] = takeFree(taken, BUCKETS - sizeOf(taken)) ?? [];
    return { layer, free, experiments: own.map(([name, { slots }]) => ({ name, slots })) };
  });
  if (flags.json) return void process.stdout.write(`${JSON.stringify({ layers })}\n`);
  if (layers.length === 0) return void process.stdout.write('there is no layer with an experiment\n');
  const rows = layers.flatMap(({ layer, free, experiments: own }) => [
    ...own.map(({ name, slots }) => [layer, name, percent(sizeOf(slots)), show(slots)]),
    [layer, '(free)', percent(sizeOf(free)), show(free)],
  ]);
  process.stdout.write(formatTable([['layer', 'experiment', 'share', 'slots'], ...rows]));
}
