// Lets grpc-js' decoder of a call go of each message once it has handed it out. As it is, it keeps the last one as it came until the next begins:
// a slice of all that was read from the socket at once, up to 64 KB. A call stays reachable long after its end (docs/decisions/0019), so nearly
// all that was ever read stayed in memory until a major collection, and set one off every few seconds. Two fields of grpc-js that are not public
// are written here; if a version has them no more, nothing breaks but the test.
import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';

interface Fields {
  /** 0 between two messages. */
  readonly readState: number;
  readPartialMessage: Buffer[];
  /** The first byte of a message: a slice, too. */
  readCompressFlag: Buffer;
}

const NO_FLAG = Buffer.alloc(1);

const decoder = StreamDecoder.prototype;
const { write } = decoder;

decoder.write = function writeAndLetGo(this: StreamDecoder, bytes: Buffer): Buffer[] {
  const messages = write.call(this, bytes);
  const fields = this as unknown as Fields;
  if (fields.readState === 0) {
    fields.readPartialMessage = [];
    fields.readCompressFlag = NO_FLAG;
  }
  return messages;
};
