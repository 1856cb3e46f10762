// Patches grpc-js: a call's decoder drops its reference to a message once the message is delivered. Otherwise it keeps
// the last slice of the socket's buffer, up to 64 KB, as long as the call is reachable (docs/decisions/0019). Two
// private fields are written; a test guards them.
import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';

interface Fields {
  /** 0 between two messages. */
  readonly readState: number;
  readPartialMessage: Buffer[];
  /** First byte of a message, a slice too. */
  readCompressFlag: Buffer;
}

const NO_FLAG = Buffer.alloc(1);

const decoder = StreamDecoder.prototype;
const { write } = decoder;

decoder.write = function writeAndRelease(this: StreamDecoder, bytes: Buffer): Buffer[] {
  const messages = write.call(this, bytes);
  const fields = this as unknown as Fields;
  if (fields.readState === 0) {
    fields.readPartialMessage = [];
    fields.readCompressFlag = NO_FLAG;
  }
  return messages;
};
