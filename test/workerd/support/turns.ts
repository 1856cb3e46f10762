// Polling, in the waiting context, for an event in another one: workerd does not let one Durable Object settle a
// promise of another, and tests run in one themselves.

/** Resolves when `isReached` is true, checked at every turn. Rejects after the maximum number of turns. */
export async function turnUntil(isReached: () => boolean): Promise<void> {
  for (let turns = 0; !isReached(); turns++) {
    if (turns > MAX_TURNS) throw new Error('expected what was waited for to happen, got nothing');
    await scheduler.wait(1);
  }
}

const MAX_TURNS = 20_000;
