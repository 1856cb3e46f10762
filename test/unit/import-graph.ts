// Circles and mutual folders in a graph of imports.
import { dirname } from 'node:path';

export interface Import {
  readonly file: string;
  /** A path from the root for a relative import, else the specifier. */
  readonly target: string;
  readonly isRelative: boolean;
}

/** The strongly connected components with a circle (Tarjan, 1972), each sorted. */
export function findCircles(imports: readonly Import[]): string[][] {
  const targetsOf = Map.groupBy(imports, ({ file }) => file);
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];

  function visit(file: string): void {
    order.set(file, order.size);
    lowest.set(file, order.get(file) as number);
    open.push(file);
    const targets = (targetsOf.get(file) ?? []).filter(({ isRelative }) => isRelative).map(({ target }) => target);
    for (const target of targets) {
      if (!order.has(target)) visit(target);
      if (open.includes(target)) lowest.set(file, Math.min(lowest.get(file) as number, lowest.get(target) as number));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const component = open.splice(open.indexOf(file));
    if (component.length > 1 || targets.includes(file)) circles.push(component.sort());
  }

  for (const file of targetsOf.keys()) if (!order.has(file)) visit(file);
  return circles;
}

/**
 * One line per pair of folders that import each other, with the first import in each direction. A parent and its child
 * folder do not count.
 */
export function findMutualFolders(imports: readonly Import[]): string[] {
  const firstBetween = new Map<string, Import>();
  const pairOf = (from: string, to: string): string => `${from} and ${to}`;
  for (const each of imports) {
    const [from, to] = [dirname(each.file), dirname(each.target)];
    const isApart = from !== to && !from.startsWith(`${to}/`) && !to.startsWith(`${from}/`);
    if (each.isRelative && isApart && !firstBetween.has(pairOf(from, to))) firstBetween.set(pairOf(from, to), each);
  }
  const describe = ({ file, target }: Import): string => `${file} imports ${target}`;
  return [...firstBetween].flatMap(([pair, there]) => {
    const [from, to] = pair.split(' and ') as [string, string];
    const back = firstBetween.get(pairOf(to, from));
    return back === undefined || from > to ? [] : [`${pair}: ${describe(there)}, ${describe(back)}`];
  });
}
