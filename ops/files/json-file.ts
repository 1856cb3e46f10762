// Lines of JSON.
import type { OutputFile } from './output.ts';
import type { RecordFile } from './record-file.ts';

const CHUNK_CHARACTERS = 64 * 1024;

export function createJsonFile(output: OutputFile): RecordFile {
  let text = '';

  async function flush(): Promise<void> {
    await output.write(text);
    text = '';
  }

  return {
    add: async (record) => {
      text += `${JSON.stringify(record)}\n`;
      if (text.length >= CHUNK_CHARACTERS) await flush();
    },
    end: async () => {
      await flush();
      await output.end();
    },
    abandon: output.abandon,
  };
}
