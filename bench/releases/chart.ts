// A chart of rates over time, as SVG.
export interface Curve {
  readonly name: string;
  readonly windows: readonly number[];
}

const [WIDTH, HEIGHT, MARGIN] = [760, 360, 48];
const COLOURS = ['#1b7f4b', '#b8860b', '#b22222', '#2f5fb3'];

/** `windowSeconds`: time between two values. */
export function drawChart(curves: readonly Curve[], windowSeconds: number): string {
  const most = Math.max(...curves.flatMap(({ windows }) => windows));
  const longest = Math.max(...curves.map(({ windows }) => windows.length - 1));
  const x = (i: number): string => (MARGIN + (i / longest) * (WIDTH - 2 * MARGIN)).toFixed(1);
  const y = (value: number): string => (HEIGHT - MARGIN - (value / most) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const lines = curves.map(({ name, windows }, i) => {
    const points = windows.map((value, at) => `${x(at)},${y(value)}`).join(' ');
    const colour = COLOURS[i % COLOURS.length];
    const label = `<text x="${WIDTH - MARGIN - 120}" y="${MARGIN + 18 * i}" fill="${colour}">${name}</text>`;
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points}"/>${label}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">
<title>Reads of Bigtable over the time of a flip</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>
<path d="M${MARGIN} ${MARGIN / 2}V${HEIGHT - MARGIN}H${WIDTH - MARGIN / 2}" fill="none" stroke="black"/>
<text x="8" y="${MARGIN / 2}">reads of Bigtable a second, at most ${most.toFixed(0)}</text>
<text x="${WIDTH / 2 - 60}" y="${HEIGHT - 12}">${(longest * windowSeconds).toFixed(0)} seconds</text>
${lines.join('\n')}
</svg>
`;
}
