// A mutation whose text is no longer in the code would find nothing, and the drill that needs it would not say why.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applyAll, MUTATIONS, mutate } from '../support/mutations.ts';

const root = join(import.meta.dirname, '../..');

test.each(Object.entries(MUTATIONS))('the mutation "%s" applies to the code', (_name, replacements) => {
  for (const [file, own] of Map.groupBy(replacements, (each) => each.file)) {
    const code = readFileSync(join(root, file), 'utf8');
    expect(applyAll(code, own)).not.toBe(code);
  }
});

test('an unknown mutation is an error, and so is a text that is not there', () => {
  expect(() => mutate('none', root)).toThrow(/^expected EARSHOT_MUTATION to be one of .*, got none$/);
  const gone = { file: 'edge/app.ts', from: 'x', to: 'y' };
  expect(() => applyAll('', [gone])).toThrow('expected edge/app.ts to have this text once, got it 0 times: x');
});
