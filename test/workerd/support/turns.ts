// Waiting, in the context that waits, for what happens in another: workerd does not let one Durable Object settle what
// another awaits, and tests run in one themselves.

/** Resolves once `isReached`, asked at every turn; rejects after so many turns that it will not be. */
export async function turnUntil(isReached: () => boolean): Promise<void> {
  for (let turns = 0; !isReached(); turns++) {
    if (turns > MAX_TURNS) throw new Error('expected what was waited for to happen, got nothing');
    await scheduler.wait(1);
  }
}

const MAX_TURNS = 20_000;
