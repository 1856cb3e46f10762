// Exit codes of the command. A message on standard error says the reason for each but 0.
export const EXIT = {
  done: 0,
  /** Failed, or done in part. */
  failed: 1,
  usage: 2,
  /** A check refused. */
  refused: 3,
  /** A canary came back to the live release. */
  wentBack: 4,
  /** Too few users to decide. */
  inconclusive: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An outcome with an exit code of its own. */
export class ExitError extends Error {
  override readonly name = 'ExitError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
