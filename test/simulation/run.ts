// One interleaving, fully determined by its script and seed. Throws a Violation of Earshot's guarantees.
import { Violation } from './oracle.ts';
import { perform } from './script.ts';
import { createWorld, type RunOptions } from './world.ts';

export async function runInterleaving(script: readonly number[], seed: number, options: RunOptions): Promise<void> {
  const world = createWorld(seed, options);
  const { timeline, chance } = world;
  for (const number of script) {
    await perform(world, number);
    world.check();
    for (let steps = chance.below(6); steps > 0; steps--) await timeline.step();
    if (chance.is(0.3)) await timeline.advance(1 + chance.below(4));
  }
  await timeline.finish();
  world.check();
  if (world.open() > 0) throw new Violation(`${world.open()} requests have no answer, and nothing is under way`);
}

/** The interleaving as numbered events with its result. */
export async function tellInterleaving(
  script: readonly number[],
  seed: number,
  options: Omit<RunOptions, 'tell'>,
): Promise<string> {
  const lines: string[] = [];
  const tell = (line: string): void => {
    lines.push(`(${lines.length + 1}) ${line}`);
  };
  try {
    await runInterleaving(script, seed, { ...options, tell });
    tell('nothing is wrong');
  } catch (error) {
    tell(error instanceof Violation ? `VIOLATION: ${error.message}` : String((error as Error).stack));
  }
  return lines.join('\n');
}
