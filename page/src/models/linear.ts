/** Vectors in doubles, weights as they are stored: what both networks are computed with. */

export type Vector = Float64Array;
export type Weights = Float32Array;

/** Adds W x to `out`; W has a row for each element of `out`. Four sums at once: one alone waits for itself. */
export function addProduct(out: Vector, weight: Weights, x: Vector): void {
  const columns = x.length;
  const rows = out.length;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const first = row * columns;
    const second = first + columns;
    const third = second + columns;
    const fourth = third + columns;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let column = 0; column < columns; column++) {
      const value = x[column];
      a += weight[first + column] * value;
      b += weight[second + column] * value;
      c += weight[third + column] * value;
      d += weight[fourth + column] * value;
    }
    out[row] += a;
    out[row + 1] += b;
    out[row + 2] += c;
    out[row + 3] += d;
  }
  for (; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += weight[row * columns + column] * x[column];
    out[row] += sum;
  }
}

/** A linear layer: W x + b, without b where there is none. */
export function linear(weight: Weights, bias: Weights | undefined, x: Vector): Vector {
  const out = new Float64Array(weight.length / x.length);
  if (bias) out.set(bias);
  addProduct(out, weight, x);
  return out;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Adds a multiple of x to `out`. */
export function addScaled(out: Vector, scale: number, x: ArrayLike<number>): void {
  for (let i = 0; i < out.length; i++) out[i] += scale * x[i];
}

/** Layer normalisation, ε = 1e-5, with a gain and a bias where they are given. */
export function layerNorm(x: Vector, gain?: Weights, bias?: Weights): Vector {
  const size = x.length;
  let mean = 0;
  for (const value of x) mean += value;
  mean /= size;
  let variance = 0;
  for (const value of x) variance += (value - mean) ** 2;
  const scale = 1 / Math.sqrt(variance / size + 1e-5);
  const out = new Float64Array(size);
  for (let i = 0; i < size; i++) out[i] = (x[i] - mean) * scale * (gain ? gain[i] : 1) + (bias ? bias[i] : 0);
  return out;
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function softmax(logits: ArrayLike<number>): Vector {
  const out = Float64Array.from(logits);
  let most = -Infinity;
  for (const value of out) most = Math.max(most, value);
  let sum = 0;
  for (let i = 0; i < out.length; i++) sum += out[i] = Math.exp(out[i] - most);
  for (let i = 0; i < out.length; i++) out[i] /= sum;
  return out;
}

/** The place of the largest number, the first of equal ones. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Magnitudes as shares that add up to 1; all 0 where there is nothing. */
export function shares(weights: ArrayLike<number>): Vector {
  const out = Float64Array.from(weights, Math.abs);
  let sum = 0;
  for (const value of out) sum += value;
  if (sum > 0) for (let i = 0; i < out.length; i++) out[i] /= sum;
  return out;
}
