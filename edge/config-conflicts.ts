// Faults of the configuration that no variable shows by itself.
import { ORIGIN_AUDIENCE } from '../shared/domain/identity.ts';

export type RawVariables = Readonly<Record<string, unknown>>;

export const hasTokenKeys = ({ TOKEN_SECRET, TOKEN_JWKS_URL }: RawVariables): boolean =>
  TOKEN_SECRET !== undefined || TOKEN_JWKS_URL !== undefined;

/** Judges variables together. Uses the raw values: one wrong variable must not hide a conflict of others. */
export function findConflicts(raw: RawVariables): string[] {
  const { TOKEN_SECRET, TOKEN_SECRET_PREVIOUS, TOKEN_JWKS_URL, TOKEN_AUDIENCE } = raw;
  const conflicts: string[] = [];
  const refuse = (isConflict: boolean, reason: string): void => {
    if (isConflict) conflicts.push(reason);
  };
  refuse(
    TOKEN_SECRET !== undefined && TOKEN_JWKS_URL !== undefined,
    'expected exactly one of TOKEN_SECRET and TOKEN_JWKS_URL, got both',
  );
  refuse(!hasTokenKeys(raw), 'expected exactly one of TOKEN_SECRET and TOKEN_JWKS_URL, got neither');
  refuse(
    TOKEN_AUDIENCE === ORIGIN_AUDIENCE,
    `expected TOKEN_AUDIENCE to differ from the origins' own, got "${ORIGIN_AUDIENCE}"`,
  );
  refuse(
    TOKEN_SECRET_PREVIOUS !== undefined && TOKEN_SECRET === undefined,
    'expected TOKEN_SECRET beside TOKEN_SECRET_PREVIOUS, got nothing',
  );
  for (const listeners of ['TOKEN_SECRET', 'TOKEN_SECRET_PREVIOUS'] as const) {
    for (const origins of ['ORIGIN_SECRET', 'ORIGIN_SECRET_PREVIOUS'] as const) {
      const isSame = raw[listeners] !== undefined && raw[listeners] === raw[origins];
      refuse(isSame, `expected ${origins} to differ from ${listeners}, got the same`);
    }
  }
  return conflicts;
}
