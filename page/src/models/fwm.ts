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

interface State {
  hidden: Vector;
  cell: Vector;
}

export class FastWeightMemoryLSTM {
  readonly trained: Knobs;
  private readonly size: number;
  private readonly gates = new Map<number, Vector>();

  constructor(
    private readonly model: CatBAbIPage["model"],
    private readonly tensors: Tensors,
  ) {
    this.trained = { strength: 1, reads: model.reads };
    this.size = Math.sqrt(this.weight("backbone.lstm.rnn.weight_hh_l0").length / 4);
  }

  /** Begins to read: the state of the LSTM and F are zero. */
  begin(knobs: Knobs): Session {
    return new Session(this, this.model, knobs);
  }

  /** Reads a memory in a chain, each read asking with what the one before returned. */
  chain(memory: Memory, writes: Write[], reads: number): Chain {
    const { memory_size: d, key_size: size, bounded, residual } = this.model;
    const { hidden } = writes.at(-1)!;
    const query = linear(this.weight("backbone.memory.read.weight"), this.values("backbone.memory.read.bias"), hidden);
    const n0 = query.slice(0, d);
    let n: Vector = bounded[0] ? n0.map(Math.tanh) : n0;
    const chain: Chain = { weights: [], logits: [] };
    for (let read = 0; read < reads; read++) {
      const part = query.slice(d + read * size, d + (read + 1) * size);
      const e = bounded[1] ? part.map(Math.tanh) : part;
      chain.weights.push(memory.taken(writes, n, e));
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

  /** What a word writes, which the LSTM's state alone decides. */
  write(hidden: Vector): Write {
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

  /** A step of the LSTM; without a state before it, from zero. */
  step(token: number, before?: State): State {
    const gates = this.given(token).slice();
    if (before) addProduct(gates, this.weight("backbone.lstm.rnn.weight_hh_l0"), before.hidden);
    const after = { hidden: new Float64Array(this.size), cell: new Float64Array(this.size) };
    for (let i = 0; i < this.size; i++) {
      const kept = before ? sigmoid(gates[this.size + i]) * before.cell[i] : 0;
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

/** A text as it is read, word by word. */
export class Session {
  private readonly memory: Memory;
  private readonly written: Write[] = [];
  private state: State | undefined;

  constructor(
    private readonly network: FastWeightMemoryLSTM,
    model: CatBAbIPage["model"],
    private readonly knobs: Knobs,
  ) {
    this.memory = new Memory(model);
  }

  /** Reads a word and writes what it leaves. */
  push(token: number): void {
    this.state = this.network.step(token, this.state);
    const write = this.network.write(this.state.hidden);
    this.written.push(write);
    this.memory.write(write, this.knobs.strength);
  }

  /** Reads the memory at the last word. */
  ask(): Chain {
    return this.network.chain(this.memory, this.written, this.knobs.reads);
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
  taken(writes: Write[], n: Vector, e: Vector): Vector {
    return Float64Array.from(writes, ({ k1, k2 }, past) => {
      const [first, second] = [dot(k1, n), dot(k2, e)];
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
