/** The LSTM with a Fast Weight Memory of Schlag et al. 2021, eq. 1 to 8. */

import type { CatBAbIPage } from "../run";
import type { Tensors } from "../weights";
import { addProduct, dot, layerNorm, linear, sigmoid, type Vector, type Weights } from "./linear";

/** What a word writes: keys, value and strength, functions of the LSTM's state alone. */
export interface Write {
  hidden: Vector;
  k1: Vector;
  k2: Vector;
  value: Vector;
  strength: number;
}

/** What a person may change: a factor on every write, and how many reads are made. */
export interface Knobs {
  strength: number;
  reads: number;
}

/** The reads at one word, in a chain. */
export interface Chain {
  /** Of each read, what it took from each word up to here: the query's fit to the key, times what clamps have left. */
  weights: Vector[];
  /** The logits if the chain ended with each read. */
  logits: Vector[];
}

type State = { hidden: Vector; cell: Vector };

export class FastWeightMemoryLSTM {
  readonly trained: Knobs;
  private readonly size: number;
  private readonly gates = new Map<number, Vector>();

  constructor(
    private readonly model: CatBAbIPage["model"],
    private readonly tensors: Tensors,
  ) {
    this.trained = { strength: 1, reads: model.reads };
    this.size = this.weight("backbone.lstm.rnn.weight_hh_l0").length;
    this.size = Math.sqrt(this.size / 4);
  }

  /** Runs the LSTM over words, from zero, and returns what each of them writes; the memory changes nothing of it. */
  writes(tokens: ArrayLike<number>, before: { state: State } = { state: this.start() }): Write[] {
    const writes: Write[] = [];
    for (let t = 0; t < tokens.length; t++) {
      before.state = this.step(tokens[t], before.state);
      writes.push(this.write(before.state.hidden));
    }
    return writes;
  }

  start(): State {
    return { hidden: new Float64Array(this.size), cell: new Float64Array(this.size) };
  }

  /** Writes words into the memory one after the other, and reads it at those that are asked for. */
  read(writes: Write[], at: (step: number) => boolean, knobs: Knobs): Map<number, Chain> {
    const chains = new Map<number, Chain>();
    const memory = new Memory(this.model);
    writes.forEach((write, step) => {
      memory.write(write, knobs.strength);
      if (at(step)) chains.set(step, this.chain(memory, writes, step, knobs.reads));
    });
    return chains;
  }

  private chain(memory: Memory, writes: Write[], step: number, reads: number): Chain {
    const { memory_size: d, key_size: size, bounded, residual } = this.model;
    const { hidden } = writes[step];
    const query = linear(this.weight("backbone.memory.read.weight"), this.values("backbone.memory.read.bias"), hidden);
    const n0 = query.slice(0, d);
    let n: Vector = bounded[0] ? n0.map(Math.tanh) : n0;
    const chain: Chain = { weights: [], logits: [] };
    for (let read = 0; read < reads; read++) {
      const part = query.slice(d + read * size, d + (read + 1) * size);
      const e = bounded[1] ? part.map(Math.tanh) : part;
      chain.weights.push(memory.taken(writes, step, n, e));
      n = layerNorm(memory.read(n, e));
      const y = linear(this.weight("backbone.memory.out.weight"), this.values("backbone.memory.out.bias"), n);
      if (residual) for (let i = 0; i < y.length; i++) y[i] += hidden[i];
      chain.logits.push(this.head(y));
    }
    return chain;
  }

  private head(y: Vector): Vector {
    const one = this.values("head.weight");
    if (one) return linear(one, this.values("head.bias"), y);
    const between = linear(this.weight("head.0.weight"), this.values("head.0.bias"), y).map((x) => Math.max(x, 0));
    return linear(this.weight("head.2.weight"), this.values("head.2.bias"), between);
  }

  private write(hidden: Vector): Write {
    const { memory_size: d, key_size: size, write_bias, write_scale } = this.model;
    const rows = linear(this.weight("backbone.memory.write.weight"), this.values("backbone.memory.write.bias"), hidden);
    const part = (from: number, count: number) => rows.slice(from, from + count).map(Math.tanh);
    return {
      hidden,
      k1: part(0, d),
      k2: part(d, size),
      value: part(d + size, d),
      strength: sigmoid(rows[2 * d + size] + write_bias) * write_scale,
    };
  }

  private step(token: number, { hidden, cell }: State): State {
    const gates = this.given(token).slice();
    addProduct(gates, this.weight("backbone.lstm.rnn.weight_hh_l0"), hidden);
    const after = this.start();
    for (let i = 0; i < this.size; i++) {
      const kept = sigmoid(gates[this.size + i]) * cell[i];
      after.cell[i] = kept + sigmoid(gates[i]) * Math.tanh(gates[2 * this.size + i]);
      after.hidden[i] = sigmoid(gates[3 * this.size + i]) * Math.tanh(after.cell[i]);
    }
    return after;
  }

  /** What a word gives to the LSTM's gates, computed when it is first met. */
  private given(token: number): Vector {
    let gates = this.gates.get(token);
    if (!gates) {
      const embedding = this.tensors.get("encoder.weight");
      const weight = this.weight("backbone.lstm.rnn.weight_ih_l0");
      if (embedding) {
        const size = embedding.shape[1];
        const row = Float64Array.from(embedding.values.subarray(token * size, (token + 1) * size));
        gates = linear(weight, this.values("backbone.lstm.rnn.bias_ih_l0"), row);
      } else {
        const classes = weight.length / (4 * this.size);
        gates = Float64Array.from({ length: 4 * this.size }, (_, row) => weight[row * classes + token]);
        const bias = this.values("backbone.lstm.rnn.bias_ih_l0");
        if (bias) for (let i = 0; i < gates.length; i++) gates[i] += bias[i];
      }
      const second = this.values("backbone.lstm.rnn.bias_hh_l0");
      if (second) for (let i = 0; i < gates.length; i++) gates[i] += second[i];
      this.gates.set(token, gates);
    }
    return gates;
  }

  private values(name: string): Weights | undefined {
    return this.tensors.get(name)?.values;
  }

  private weight(name: string): Weights {
    return this.tensors.get(name)!.values;
  }
}

/** F [key, value], written by the delta rule with its norm held at 1 or below. */
class Memory {
  private readonly F: Vector;
  private readonly left: number[] = [];

  constructor(private readonly model: CatBAbIPage["model"]) {
    const { memory_size: d, key_size: size, combine } = model;
    this.F = new Float64Array((combine === "product" ? d * size : d + size) * d);
  }

  /** F ← F + β (v − F k) kᵀ, then F ← F / max(1, ‖F‖). */
  write(write: Write, factor: number): void {
    const { F } = this;
    const d = this.model.memory_size;
    const key = this.key(write.k1, write.k2);
    const found = this.retrieve(key);
    const beta = write.strength * factor;
    const update = found.map((value, i) => beta * (write.value[i] - value));
    let norm = 0;
    for (let row = 0; row < key.length; row++) {
      const k = key[row];
      const start = row * d;
      for (let i = 0; i < d; i++) {
        const cell = F[start + i] + k * update[i];
        F[start + i] = cell;
        norm += cell * cell;
      }
    }
    this.left.push(1);
    if (this.model.clamp && norm > 1) {
      const scale = 1 / Math.sqrt(norm);
      for (let i = 0; i < F.length; i++) F[i] *= scale;
      for (let i = 0; i < this.left.length; i++) this.left[i] *= scale;
    }
  }

  /** F (n ⊗ e). */
  read(n: Vector, e: Vector): Vector {
    return this.retrieve(this.key(n, e));
  }

  /** How much a read takes from each word's write. */
  taken(writes: Write[], step: number, n: Vector, e: Vector): Vector {
    return Float64Array.from({ length: step + 1 }, (_, past) => {
      const first = dot(writes[past].k1, n);
      const second = dot(writes[past].k2, e);
      return (this.model.combine === "product" ? first * second : first + second) * this.left[past];
    });
  }

  private retrieve(key: Vector): Vector {
    const d = this.model.memory_size;
    const out = new Float64Array(d);
    for (let row = 0; row < key.length; row++) {
      const k = key[row];
      const start = row * d;
      for (let i = 0; i < d; i++) out[i] += k * this.F[start + i];
    }
    return out;
  }

  private key(first: Vector, second: Vector): Vector {
    const size = second.length;
    if (this.model.combine === "concat") {
      const joined = new Float64Array(first.length + size);
      joined.set(first);
      joined.set(second, first.length);
      return joined;
    }
    const product = new Float64Array(first.length * size);
    for (let i = 0; i < first.length; i++) {
      for (let j = 0; j < size; j++) product[i * size + j] = first[i] * second[j];
    }
    return product;
  }
}
