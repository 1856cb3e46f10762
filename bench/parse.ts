// Parsing of list lines: the canonical form, parsed by one regular expression, against the same lists in another form,
// parsed as JSON with the text of their numbers. Both produce the same bytes.
import { parseListLine } from '../ops/ingest/line/list-line.ts';
import { encodeItem, MAX_ITEMS } from '../shared/domain/list.ts';
import type { BenchResult } from './support/result.ts';
import { median } from './support/statistics.ts';

const PAIRS = 7;
const LINES = 2000;

export async function benchParse(): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const lines: string[] = [];
  for (const items of [5, MAX_ITEMS]) {
    const { canonicalMicros, otherMicros, ratio } = measure(items);
    figures[`canonicalMicros${items}`] = canonicalMicros;
    figures[`otherMicros${items}`] = otherMicros;
    figures[`otherVsCanonical${items}`] = ratio;
    lines.push(
      `lists of ${items}: ${canonicalMicros} us a canonical line, ${otherMicros} us another, ${ratio} times as long`,
    );
  }
  return { report: `${lines.join('\n')}\n(medians of ${PAIRS} pairs of ${LINES} lines)`, figures };
}

function measure(items: number) {
  const canonical = Array.from({ length: LINES }, (_, i) => {
    const list = Array.from({ length: items }, (_, n) => encodeItem(`track:${i * items + n}`, `0.${9999 - n}`));
    return `{"user":"listener:${i}","items":[${list.join(',')}]}`;
  });
  const other = canonical.map((line) => ` ${line}`.replace('{"user"', '{ "user"'));
  const pairs = Array.from({ length: PAIRS }, () => ({
    canonical: microsPerLine(canonical),
    other: microsPerLine(other),
  }));
  return {
    canonicalMicros: round(median(pairs.map((pair) => pair.canonical))),
    otherMicros: round(median(pairs.map((pair) => pair.other))),
    ratio: round(median(pairs.map((pair) => pair.other / pair.canonical))),
  };
}

function microsPerLine(lines: readonly string[]): number {
  const startedAtMs = performance.now();
  let bytes = 0;
  for (const line of lines) bytes += parseListLine(line).value.length;
  if (bytes === 0) throw new Error('expected lists to have bytes, got none');
  return ((performance.now() - startedAtMs) * 1000) / lines.length;
}

const round = (value: number): number => Number(value.toFixed(1));
