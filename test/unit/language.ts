// Extraction of a file's comments and prose, and the sentences in them that name no actor or thing.

const FORBIDDEN_START = /^(Who|Whoever|What|Whom|Whose|Of (a|the|those|these|all|each|what))\b/;
const FORBIDDEN_WORD = /\b(somebody|nobody|anybody|whoever|anew|be had)\b/i;

/** The comments of TypeScript source, one text per block. */
export function commentsOf(source: string): string[] {
  const pattern = /(?:^[ \t]*\/\/[^\n]*\n?)+|\/\*[\s\S]*?\*\/|(?<=[;,{)] )\/\/ [^\n]*/gm;
  return [...source.matchAll(pattern)].map(([block]) =>
    flatten(block.replaceAll(/^\s*(\/\/|\/\*\*?|\*(?!\/))|\*\/|^\/\/ /gm, ' ')),
  );
}

/** The headings, paragraphs, list items and table cells of Markdown, without code blocks. */
export function proseOf(markdown: string): string[] {
  return markdown
    .replaceAll(/```[\s\S]*?```/g, '\n\n')
    .split(/\n\s*\n|\n(?=\s*(?:[-*#|>]|\d+\. ))|\|/)
    .map((part) => flatten(part.replace(/^\s*(?:#+|[-*>]|\d+\.)\s/, '')))
    .filter((part) => part !== '' && !/^[-: ]+$/.test(part));
}

/** The sentences of `text` that break the rule. */
export const offencesIn = (text: string): string[] =>
  text
    .split(/(?<=[.;:]) /)
    .filter((sentence) => (FORBIDDEN_START.test(sentence) && !sentence.includes('?')) || FORBIDDEN_WORD.test(sentence));

const flatten = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
