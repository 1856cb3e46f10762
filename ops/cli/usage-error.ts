// The command was called wrongly: its message is for the one who typed it, and the exit code is 2.

export class UsageError extends Error {
  override readonly name = 'UsageError';
}
