// A usage error: the message explains the mistake, and the exit code is 2.
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
