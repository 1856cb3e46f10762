// The exit codes of all commands.
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, wentBack: 4, inconclusive: 5 } as const;

/** An outcome with its own exit code. The message is printed as an error's. */
export class Outcome extends Error {
  override readonly name = 'Outcome';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
