// google.longrunning.Operations: everything here is done when it is answered, but clients ask again about what they were given.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { unary } from './wire/calls.ts';
import type { AppProfileMessage, Operation } from './wire/messages.ts';
import { notFound } from './wire/status.ts';

/** Older operations are forgotten. */
const MAX_REMEMBERED = 100;

export class Operations {
  readonly #serialize: (message: AppProfileMessage) => Buffer;
  readonly #byName = new Map<string, Operation>();
  #made = 0;

  /** `serialize` makes the bytes of an AppProfile, which an operation's result carries. */
  constructor(serialize: (message: AppProfileMessage) => Buffer) {
    this.#serialize = serialize;
  }

  finishedUpdate(profile: AppProfileMessage): Operation {
    const types = 'type.googleapis.com/google.bigtable.admin.v2';
    const operation: Operation = {
      name: `operations/${profile.name}/locations/local/operations/${++this.#made}`,
      done: true,
      metadata: { typeUrl: `${types}.UpdateAppProfileMetadata`, value: Buffer.alloc(0) },
      response: { typeUrl: `${types}.AppProfile`, value: this.#serialize(profile) },
    };
    this.#byName.set(operation.name, operation);
    const [oldest] = this.#byName.keys();
    if (this.#byName.size > MAX_REMEMBERED && oldest !== undefined) this.#byName.delete(oldest);
    return operation;
  }

  service(): UntypedServiceImplementation {
    return {
      getOperation: unary<{ name: string }, Operation>(({ name }) => {
        const operation = this.#byName.get(name);
        if (operation === undefined) throw notFound(`Operation not found: ${name}`);
        return operation;
      }),
    };
  }
}
