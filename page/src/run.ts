/** What the command puts into the page: one JSON value, whose weights are a safetensors file in base64. */

export interface Fact {
  label: string;
  value: string;
}

interface Page {
  title: string;
  facts: Fact[];
}

export interface RetrievalPage extends Page {
  page: "retrieval";
  model: {
    form: "inner" | "flat";
    nonlinearity: "relu" | "tanh";
    decay: number;
    rate: number;
    inner_steps: number;
  };
  task: {
    pairs: number;
    form: "paper" | "trailing-read";
    /** The no-binding ceiling of 1, 2 … 26 pairs. */
    ceilings: number[];
  };
  shown: string;
  weights: string;
}

/** What rules answer to a question of an example: null where the story does not say. */
export interface Solved {
  word: string | null;
  others: string[];
  /** The supporting sentences, by their place in the story from 1; questions count too. */
  supports: number[];
}

export interface Example {
  label: string;
  story: string;
  solved: Solved[];
}

export interface CatBAbIPage extends Page {
  page: "catbabi";
  mode: "qa" | "lm";
  model: {
    memory_size: number;
    key_size: number;
    reads: number;
    write_scale: number;
    write_bias: number;
    bounded: [boolean, boolean];
    clamp: boolean;
    combine: "product" | "concat";
    residual: boolean;
  };
  vocabulary: string[];
  examples: Example[];
  weights: string;
}

export interface MemoryPage extends Page {
  page: "memory";
}

export type AnyPage = RetrievalPage | CatBAbIPage | MemoryPage;

/** The run in the page; null in the empty template. */
export function readRun(): AnyPage | null {
  return JSON.parse(document.getElementById("run")!.textContent!) as AnyPage | null;
}
