// The facts of a read that experiments may target: country and signed claims. For the token's own user they come from
// the platform and the token, because an app could say anything; for any other user a service names the country.
import type { AttributesOf } from '../../shared/domain/experiments/assign.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { claimsFor, type Identity } from '../identity/claims.ts';
import { countryOf } from '../request/place.ts';

export const attributesFor =
  (request: Request, identity: Identity, user: UserId, namedCountry: string | undefined): AttributesOf =>
  () => ({
    country: user === identity.user ? countryOf(request) : namedCountry,
    ...claimsFor(user, identity),
  });
