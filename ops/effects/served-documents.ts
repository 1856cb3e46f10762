// Documents as origins hold them in memory: the way back if the row of a document is lost or broken.
import { hasDigestOfName } from '../../origin/bigtable/document-row.ts';
import { type DocumentName, nameDocument, parseDocument } from '../../shared/domain/effects/documents.ts';
import { mintOriginToken } from '../../shared/wire/origin-token.ts';
import { DOCUMENTS_PATH } from '../../shared/wire/read-request.ts';
import { readControlCell, replaceControlCell } from '../bigtable/control-row.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { call } from '../cli/http.ts';
import type { Origins } from '../manifest/served-manifests.ts';

const CALL_TIMEOUT_MS = 5_000;

interface ServedDocument {
  readonly region: string;
  readonly json: string;
}

/** The document from the first origin that has it. Undefined if none has it. */
export async function findServedDocument(
  control: ControlTable,
  name: DocumentName,
  origins: Origins | undefined,
): Promise<ServedDocument | undefined> {
  for (const { name: region, origin } of origins?.regions ?? []) {
    const json = await readServed(control, name, { region, origin, secret: origins?.secret ?? '' });
    if (json !== undefined) return { region, json };
  }
  return undefined;
}

/** The JSON of the document from an origin, written to its row again. Undefined if none has it. */
export async function restoreDocument(
  control: ControlTable,
  name: DocumentName,
  origins: Origins | undefined,
): Promise<string | undefined> {
  const served = await findServedDocument(control, name, origins);
  if (served === undefined) return undefined;
  const { region, json } = served;
  const rowKey = nameDocument(name);
  const read = await readControlCell(control, rowKey);
  await replaceControlCell(control, { rowKey, read, value: Buffer.from(json), what: 'the repair of a document' });
  process.stderr.write(`note: the row ${rowKey} was lost or broken; it has the document of the origin in ${region}\n`);
  return json;
}

async function readServed(
  control: ControlTable,
  name: DocumentName,
  { region, origin, secret }: { readonly region: string; readonly origin: string; readonly secret: string },
): Promise<string | undefined> {
  try {
    const token = await mintOriginToken(secret, { subject: 'earshot', region, nowMs: control.retries.clock.now() });
    const url = `${origin}${DOCUMENTS_PATH}/${name.kind}/${name.version}`;
    const headers = { authorization: `Bearer ${token}` };
    const { status, text } = await call(url, { headers, timeoutMs: CALL_TIMEOUT_MS });
    if (status !== 200 || !hasDigestOfName(name, Buffer.from(text))) return undefined;
    parseDocument(name, text);
    return text;
  } catch {
    return undefined;
  }
}
