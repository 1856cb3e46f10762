// `earshot token`: prints a listener's token for one machine, signed with the secret of the local edge. In production
// the identity provider issues tokens.
import { Command, InvalidArgumentError } from 'commander';
import { isScope, LISTENER_AUDIENCE, MIN_SECRET_BYTES, SCOPES } from '../../shared/domain/identity.ts';
import { ID_GRAMMAR, PUBLIC_ID_PATTERN } from '../../shared/domain/ids.ts';
import { parseDuration, refuseConnection } from '../cli/arguments.ts';
import { findLocalCloud } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { DEFAULT_LIFETIME_MS, mintToken, type TokenClaims } from './mint-token.ts';

const scopeHelp = Object.entries(SCOPES)
  .map(([scope, meaning]) => `  ${scope.padEnd(14)} ${meaning}`)
  .join('\n');

export const makeTokenCommand = (): Command =>
  new Command('token')
    .requiredOption('--user <id>', 'whose token', parseUser)
    .option('--scope <scope>', 'permission; repeatable', addScope, [])
    .option('--expires <duration>', 'lifetime of the token', parseDuration, DEFAULT_LIFETIME_MS)
    .option('--audience <name>', 'audience of the token', LISTENER_AUDIENCE)
    .addHelpText(
      'after',
      `\nScopes:\n${scopeHelp}\n\nExample:\n  $ curl -H "Authorization: Bearer $(npx earshot token --user lastfm:2)" http://127.0.0.1:8787/v1/me/recommendations/home`,
    )
    .action(async (flags: TokenClaims, command: Command) => {
      refuseConnection(command);
      process.stdout.write(`${await mintToken(flags, findSecret())}\n`);
    });

function findSecret(): string {
  const secret = process.env.EARSHOT_TOKEN_SECRET ?? findLocalCloud()?.tokenSecret;
  if (secret === undefined)
    throw new UsageError(
      'no secret to sign with: start a local cloud here with `npm start`, or set EARSHOT_TOKEN_SECRET',
    );
  const bytes = Buffer.byteLength(secret);
  if (bytes < MIN_SECRET_BYTES)
    throw new UsageError(`expected EARSHOT_TOKEN_SECRET to have at least ${MIN_SECRET_BYTES} bytes, got ${bytes}`);
  return secret;
}

function parseUser(text: string): string {
  if (PUBLIC_ID_PATTERN.test(text)) return text;
  throw new InvalidArgumentError(`expected a user id: ${ID_GRAMMAR}.`);
}

function addScope(text: string, before: string[]): string[] {
  if (isScope(text)) return [...before, text];
  throw new InvalidArgumentError(`expected one of ${Object.keys(SCOPES).join(', ')}.`);
}
