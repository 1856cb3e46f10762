// The two functions that tests of counts need: the logarithm of the gamma function, and the upper tail of chi-squared.

/** C. Lanczos, "A precision approximation of the gamma function", 1964; coefficients for g = 7, n = 9 by P. Godfrey. */
const G = 7;
const COEFFICIENTS = [
  ...[0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059],
  ...[12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7],
];

/** ln of the gamma function of `x`, above 0. Relative error below 1e-13. */
export function lnGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const shifted = x - 1;
  const series = COEFFICIENTS.reduce(
    (sum, coefficient, i) => (i === 0 ? coefficient : sum + coefficient / (shifted + i)),
    0,
  );
  const t = shifted + G + 0.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(series);
}

/** The probability that chi-squared with `degrees` of freedom is at least `value`. */
export const chiSquaredTail = (value: number, degrees: number): number =>
  value <= 0 ? 1 : upperGamma(degrees / 2, value / 2);

const EPSILON = 1e-15;
const MAX_TERMS = 10_000;

/** The regularised upper incomplete gamma function Q(a, x): DLMF, section 8.2. */
function upperGamma(a: number, x: number): number {
  const scale = Math.exp(a * Math.log(x) - x - lnGamma(a));
  return x < a + 1 ? 1 - scale * lowerSeries(a, x) : scale * upperFraction(a, x);
}

/** DLMF 8.7.1: converges fast for x < a + 1. */
function lowerSeries(a: number, x: number): number {
  let [term, sum] = [1 / a, 1 / a];
  for (let n = 1; n < MAX_TERMS && Math.abs(term) > Math.abs(sum) * EPSILON; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** DLMF 8.9.2, by the method of W. Lentz, 1976. */
function upperFraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < MAX_TERMS; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / nonZero(numerator * d + b, tiny);
    c = nonZero(b + numerator / c, tiny);
    const factor = c * d;
    fraction *= factor;
    if (Math.abs(factor - 1) < EPSILON) break;
  }
  return fraction;
}

const nonZero = (value: number, tiny: number): number => (Math.abs(value) < tiny ? tiny : value);
