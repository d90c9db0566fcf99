/** A memory F [key, value] that facts are written into by hand, under keys of two parts. */

import { generator, normal } from "../random";
import { addScaled, dot, type Vector } from "./linear";

export interface Fact {
  who: string;
  what: string;
  value: string;
}

export interface Knobs {
  rule: "delta" | "sum";
  strength: number;
  passes: number;
  /** Words at right angles to each other, or random directions of so many dimensions. */
  dimensions: number | null;
}

export type Combine = "product" | "joined";

/** What comes back under a fact's key. */
export interface Found {
  fact: Fact;
  /** How much of each value comes back, in the order of `values`. */
  scores: number[];
  /** The value that most comes back of; null where two do as much. */
  best: string | null;
}

export interface Filled {
  F: Vector;
  rows: number;
  columns: number;
  found: Found[];
  right: number;
}

/** The facts that a list of writes leaves: of several under one key the last. */
export function latest(facts: readonly Fact[]): Fact[] {
  return [...new Map(facts.map((fact) => [`${fact.who}\n${fact.what}`, fact])).values()];
}

export const distinct = (words: readonly string[]): string[] => [...new Set(words)];

/** Writes facts one after the other and asks for each of them. */
export function fill(facts: readonly Fact[], combine: Combine, knobs: Knobs): Filled {
  const who = directions(facts.map((fact) => fact.who), "who", knobs.dimensions);
  const what = directions(facts.map((fact) => fact.what), "what", knobs.dimensions);
  const values = directions(facts.map((fact) => fact.value), "value", knobs.dimensions);
  const key = (fact: Fact) => keyOf(who.get(fact.who)!, what.get(fact.what)!, combine);
  const columns = values.size ? [...values.values()][0].length : 0;
  const rows = facts.length ? key(facts[0]).length : 0;
  const F = new Float64Array(rows * columns);
  const cells = (row: number) => F.subarray(row * columns, (row + 1) * columns);
  const retrieve = (k: Vector) => {
    const out = new Float64Array(columns);
    for (let row = 0; row < rows; row++) if (k[row]) addScaled(out, k[row], cells(row));
    return out;
  };
  for (let pass = 0; pass < knobs.passes; pass++) {
    for (const fact of facts) {
      const k = key(fact);
      const update = values.get(fact.value)!.slice();
      if (knobs.rule === "delta") addScaled(update, -1, retrieve(k));
      const strength = knobs.strength / dot(k, k);
      for (let row = 0; row < rows; row++) if (k[row]) addScaled(cells(row), strength * k[row], update);
    }
  }
  const found = latest(facts).map((fact) => {
    const back = retrieve(key(fact));
    const scores = [...values.values()].map((value) => dot(back, value));
    const ranked = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
    const tie = ranked.length > 1 && scores[ranked[0]] - scores[ranked[1]] < 1e-9;
    return { fact, scores, best: tie || scores[ranked[0]] < 1e-9 ? null : [...values.keys()][ranked[0]] };
  });
  return { F, rows, columns, found, right: found.filter(({ fact, best }) => best === fact.value).length };
}

/** k1 ⊗ k2, or [k1; k2]. */
function keyOf(first: Vector, second: Vector, combine: Combine): Vector {
  if (combine === "joined") return Float64Array.of(...first, ...second);
  return Float64Array.from({ length: first.length * second.length }, (_, i) => first[Math.floor(i / second.length)] * second[i % second.length]);
}

/** A direction of length 1 for each word: one of its own, or a random one that the word decides. */
function directions(words: readonly string[], kind: string, dimensions: number | null): Map<string, Vector> {
  const all = distinct(words);
  return new Map(
    all.map((word, place) => {
      if (dimensions === null) return [word, Float64Array.from(all, (_, i) => (i === place ? 1 : 0))];
      const random = generator([...`${kind}:${word}`].reduce((hash, letter) => Math.imul(hash, 31) + letter.codePointAt(0)!, 7));
      const drawn = Float64Array.from({ length: dimensions }, () => normal(random));
      const length = Math.sqrt(dot(drawn, drawn));
      return [word, drawn.map((x) => x / length)];
    }),
  );
}
