/** The fast-weights RNN of Ba et al. 2016, eq. 1 and 2, in its attention form and with A written out. */

import type { RetrievalPage } from "../run";
import type { Tensors } from "../weights";
import { addProduct, addScaled, dot, layerNorm, linear, type Vector, type Weights } from "./linear";

/** What a person may change: λ, η, S, and whether the memory is there. */
export interface Knobs {
  decay: number;
  rate: number;
  steps: number;
  memory: boolean;
}

/** A sequence as the network read it, step by step. */
export interface Reading {
  /** h(t). */
  states: Vector[];
  /** h_s(t) for s = 0 … S-1: what each read asks with. */
  asking: Vector[][];
  /** η λ^(t-1-τ) ⟨h(τ), h_s(t)⟩ by step, read and earlier step τ. */
  weights: Vector[][];
}

interface Norm {
  gain: Weights;
  bias: Weights;
}

export class FastWeightRNN {
  readonly hidden: number;
  readonly trained: Knobs;
  private readonly flat: boolean;
  private readonly relu: boolean;
  private readonly recurrent: Weights;
  private readonly norm: Norm | undefined;
  private readonly preliminary: Norm | undefined;
  private readonly drives: Vector[];
  private readonly head: [Weights, Weights | undefined][];

  constructor(model: RetrievalPage["model"], tensors: Tensors) {
    const values = (name: string) => tensors.get(name)?.values;
    const norm = (name: string): Norm | undefined => {
      const gain = values(`${name}.weight`);
      return gain && { gain, bias: values(`${name}.bias`)! };
    };
    this.recurrent = values("backbone.recurrent.weight")!;
    this.hidden = Math.sqrt(this.recurrent.length);
    this.flat = model.form === "flat";
    this.relu = model.nonlinearity === "relu";
    this.norm = norm("backbone.norm");
    this.preliminary = norm("backbone.preliminary_norm");
    this.drives = drives(tensors, this.hidden);
    const layers = tensors.has("head.weight") ? ["head"] : ["head.0", "head.2"];
    this.head = layers.map((name) => [values(`${name}.weight`)!, values(`${name}.bias`)]);
    this.trained = { decay: model.decay, rate: model.rate, steps: model.inner_steps, memory: true };
  }

  /** Whether h_s can be read more than once a step. */
  get hasInnerSteps(): boolean {
    return !this.flat;
  }

  /** Reads a sequence in the attention form: a read is a sum over the earlier states. */
  read(tokens: ArrayLike<number>, knobs: Knobs): Reading {
    const reading: Reading = { states: [], asking: [], weights: [] };
    const { states } = reading;
    const rate = knobs.memory ? knobs.rate : 0;
    const fading = Float64Array.from(tokens, (_, age) => rate * knobs.decay ** age);
    for (let t = 0; t < tokens.length; t++) {
      const asking: Vector[] = [];
      const weights: Vector[] = [];
      const state = this.settle(tokens[t], states[t - 1], knobs.steps, asking, (sum, asked) => {
        const taken = new Float64Array(t);
        for (let past = 0; past < t; past++) {
          taken[past] = fading[t - 1 - past] * dot(states[past], asked);
          addScaled(sum, taken[past], states[past]);
        }
        weights.push(taken);
      });
      states.push(state);
      reading.asking.push(asking);
      reading.weights.push(weights);
    }
    return reading;
  }

  /** Reads a sequence with A written out, which is what the attention form is held against; returns the states. */
  readWritten(tokens: ArrayLike<number>, knobs: Knobs): Vector[] {
    const states: Vector[] = [];
    const memory = new Float64Array(this.hidden ** 2);
    const rate = knobs.memory ? knobs.rate : 0;
    for (let t = 0; t < tokens.length; t++) {
      const state = this.settle(tokens[t], states[t - 1], knobs.steps, [], (sum, asked) => {
        for (let row = 0; row < this.hidden; row++) {
          for (let column = 0; column < this.hidden; column++) sum[row] += memory[row * this.hidden + column] * asked[column];
        }
      });
      states.push(state);
      write(memory, state, knobs.decay, rate);
    }
    return states;
  }

  /** A after the first `steps` states: what the next step reads. */
  memory(states: Vector[], steps: number, knobs: Knobs): Vector {
    const memory = new Float64Array(this.hidden ** 2);
    for (let t = 0; t < steps; t++) write(memory, states[t], knobs.decay, knobs.memory ? knobs.rate : 0);
    return memory;
  }

  logits(state: Vector): Vector {
    let x = state;
    this.head.forEach(([weight, bias], layer) => {
      if (layer) x = x.map((value) => Math.max(value, 0));
      x = linear(weight, bias, x);
    });
    return x;
  }

  /** A step: h_0, then S reads, each put through LN and f. */
  private settle(
    token: number,
    before: Vector | undefined,
    steps: number,
    asking: Vector[],
    addRead: (sum: Vector, asked: Vector) => void,
  ): Vector {
    const slow = this.drives[token].slice();
    if (before) addProduct(slow, this.recurrent, before);
    let h = this.flat ? (before ?? new Float64Array(this.hidden)) : this.activate(slow, this.preliminary);
    for (let s = 0; s < (this.flat ? 1 : steps); s++) {
      asking.push(h);
      const sum = slow.slice();
      addRead(sum, h);
      h = this.activate(sum, this.norm);
    }
    return h;
  }

  private activate(x: Vector, norm: Norm | undefined): Vector {
    const normed = norm ? layerNorm(x, norm.gain, norm.bias) : x;
    return normed.map(this.relu ? (value) => Math.max(value, 0) : Math.tanh);
  }
}

/** A ← λ A + η h hᵀ. */
function write(memory: Vector, state: Vector, decay: number, rate: number): void {
  const size = state.length;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const cell = row * size + column;
      memory[cell] = decay * memory[cell] + rate * state[row] * state[column];
    }
  }
}

/** C x + b for each symbol: a column of C, or C times the symbol's embedding. */
function drives(tensors: Tensors, hidden: number): Vector[] {
  const weight = tensors.get("backbone.input.weight")!.values;
  const bias = tensors.get("backbone.input.bias")!.values;
  const embedding = tensors.get("encoder.weight");
  if (embedding) {
    const [symbols, size] = embedding.shape;
    return Array.from({ length: symbols }, (_, symbol) =>
      linear(weight, bias, Float64Array.from(embedding.values.subarray(symbol * size, (symbol + 1) * size))),
    );
  }
  const symbols = weight.length / hidden;
  return Array.from({ length: symbols }, (_, symbol) =>
    Float64Array.from({ length: hidden }, (_, row) => weight[row * symbols + symbol] + bias[row]),
  );
}
