// Documents of the table `control`: a row that is lost or broken is written again from an origin.
import { expect, test } from 'vitest';
import { readControlCell, replaceControlCell } from '../../../../ops/bigtable/control-row.ts';
import { readStored, writeDocument } from '../../../../ops/effects/documents.ts';
import type { DocumentName } from '../../../../shared/domain/effects/documents.ts';
import { nameDocument } from '../../../../shared/domain/effects/documents.ts';
import { controlOf, MONDAY, manifestOf, publishManifest, startInstance } from '../../origin/instance.ts';
import { runOrigin, SECRET } from '../../origin/running-origin.ts';

const JSON_OF_NOTHING = '{"format":1,"items":[],"notes":[]}';

async function start() {
  const instance = await startInstance();
  const control = controlOf(instance.bigtable);
  const version = await writeDocument(control, 'blocked', JSON_OF_NOTHING);
  const name: DocumentName = { kind: 'blocked', version };
  await publishManifest(instance.bigtable, { ...manifestOf(1), documents: { blocked: version } }, MONDAY);
  const { clock, origin } = await runOrigin(instance);
  const origins = { regions: [{ name: 'asia', origin: origin.url }], secret: SECRET };
  // The token of the call is of the origin's time.
  const here = { ...control, retries: { ...control.retries, clock } };
  const change = async (value: Buffer | undefined) => {
    const rowKey = nameDocument(name);
    const read = await readControlCell(control, rowKey);
    await replaceControlCell(control, { rowKey, read, value, what: 'a test' });
  };
  return { change, control, here, name, origins };
}

test.each([
  ['lost', undefined],
  ['broken', Buffer.from('{"format":1,"items":[["other",null]],"notes":[]}')],
])('a row that is %s is written again from an origin', async (_what, value) => {
  const { change, control, here, name, origins } = await start();
  await change(value);
  await expect(readStored(control, name, undefined)).rejects.toThrow(
    'and no origin has it: none is known (set EARSHOT_ORIGINS and EARSHOT_ORIGIN_SECRET)',
  );
  expect(await readStored(here, name, origins)).toBe(JSON_OF_NOTHING);
  expect(await readStored(control, name, undefined)).toBe(JSON_OF_NOTHING);
});

test('a document that no origin has is one clear error', async () => {
  const { change, here, name, origins } = await start();
  await change(undefined);
  const other = { ...name, version: `${name.version.slice(0, -1)}x` };
  await expect(readStored(here, other, origins)).rejects.toThrow(
    /^expected the row blocked#\S+, got none, and no origin has it$/,
  );
});
