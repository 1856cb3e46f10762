// Plain technical English in comments, headings and prose: the actor and the thing are named, and lines wrap at 120.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commentsOf, offencesIn, proseOf } from './language.ts';

const root = join(import.meta.dirname, '../..');

const find = (pattern: string): string[] =>
  globSync(pattern, { cwd: root }).filter((file) => !file.includes('node_modules'));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

describe('the language', () => {
  test.each(find('{edge,origin,shared,ops,dev,bench,test,examples}/**/*.ts').concat(find('*.ts')))(
    '%s has comments in plain technical English',
    (file) => {
      const source = read(file);
      const longLines = source
        .split('\n')
        .filter((line) => line.length > 120 && !line.includes('://') && isComment(line));
      expect([...commentsOf(source).flatMap(offencesIn), ...longLines]).toEqual([]);
    },
  );

  test.each(find('*.md').concat(find('docs/**/*.md'), find('deploy/**/*.md'), find('.github/**/*.md')))(
    '%s is in plain technical English',
    (file) => {
      expect(proseOf(read(file)).flatMap(offencesIn)).toEqual([]);
    },
  );
});

const isComment = (line: string): boolean => /^\s*(\/\/|\*|\/\*)/.test(line);

describe('an offence', () => {
  test.each([
    'Who asks gets it.',
    'It is stored. What is stale is served.',
    'Of all keys one is read.',
    'Nobody waits for it.',
    'The list is loaded anew.',
  ])('%s', (text) => {
    expect(offencesIn(text)).toHaveLength(1);
  });

  test.each(['Who may call an origin?', 'The list is loaded again.', 'The p95 of the calls.'])('is not %s', (text) => {
    expect(offencesIn(text)).toEqual([]);
  });

  test('is found in line comments, doc comments and prose, and not in code', () => {
    expect(commentsOf("// One.\n// Two.\nconst a = 'Who'; // Three.\n/** Four. */\n")).toEqual([
      'One. Two.',
      'Three.',
      'Four.',
    ]);
    expect(proseOf('# A\n\nb `c`\n\n```sh\nwho\n```\n\n| d | e |\n')).toEqual(['A', 'b `c`', 'd', 'e']);
  });
});
