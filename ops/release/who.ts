// The author of a change: `--as`, the e-mail address of the credential, or user@host.
import { readFileSync } from 'node:fs';
import { author } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';

const MAX_CHARACTERS = 200;

/** Throws a UsageError for a name that is no line of text. */
export async function whoIs({ as }: { readonly as?: string }): Promise<string> {
  if (as === undefined) return emailOfCredential() ?? author();
  const name = as.trim();
  if (name !== '' && name.length <= MAX_CHARACTERS && !/\p{Cc}/u.test(name)) return name;
  throw new UsageError(
    `expected --as to be a name of 1 to ${MAX_CHARACTERS} characters, got ${JSON.stringify(as.slice(0, 40))}`,
  );
}

/** From a service account's key file. Other credentials have no address that can be read without a call. */
function emailOfCredential(): string | undefined {
  const { GOOGLE_APPLICATION_CREDENTIALS: path } = process.env;
  if (path === undefined || path === '') return undefined;
  try {
    const { client_email: email } = JSON.parse(readFileSync(path, 'utf8')) as { client_email?: unknown };
    return typeof email === 'string' ? email : undefined;
  } catch {
    return undefined;
  }
}
