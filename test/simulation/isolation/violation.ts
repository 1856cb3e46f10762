// A broken guarantee, as the judge reports it.
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function demand(isSo: boolean, what: () => string): void {
  if (!isSo) throw new Violation(what());
}
