// A body in a form that is not taken, with the header that tells the caller which one is (RFC 9110, section 15.5.16).
import { EarshotError } from '../../shared/wire/errors.ts';

export class MediaTypeError extends EarshotError {
  /** Goes into the answer: Accept, or Accept-Encoding, which must not be sent for any other reason than a coding (section 12.5.3). */
  readonly accepted: Readonly<Record<string, string>>;

  constructor(message: string, accepted: Readonly<Record<string, string>>) {
    super('unsupported_media_type', 'edge', message);
    this.accepted = accepted;
  }
}
