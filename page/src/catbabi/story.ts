/** A story as a person types it, read by the network: its words, its questions, and their answers. */

import type { Chain, FastWeightMemoryLSTM, Knobs } from "../models/fwm";
import { argmax, softmax, type Vector } from "../models/linear";
import { nearest } from "../text";

export const EOS = 1;
const SPECIAL = 2;

export interface Word {
  token: number;
  text: string;
  /** Of the story; an answer behind a question as it was typed; or the network's own, which it reads on. */
  kind: "told" | "given" | "own";
  /** The sentence it stands in, from 1; questions count too, 0 is the start. */
  sentence: number;
}

export interface Asked {
  /** The place of its "?" among the words. */
  at: number;
  sentence: number;
  chain: Chain;
  probabilities: Vector;
  answer: string;
  /** The answer that was typed behind it. */
  given: string | null;
}

export interface Told {
  words: Word[];
  questions: Asked[];
}

type Piece = { words: string[]; given: string | null; asked: boolean };

const WORD = /[^\s.?,]+(?:\s*,\s*[^\s.?,]+)*|[.?,]/g;
const GIVEN = /^\s*([^\s.,]+(?:\s*,\s*[^\s.,]+)*)[^\S\n]*(?:\.|\n|$)/;
const STOP = /^\s*\./;

/** A typed story cut at its questions; a string says what is wrong with it. */
export function parse(text: string, vocabulary: readonly string[]): Piece[] | string {
  const known = new Map(vocabulary.slice(SPECIAL).map((word) => [word, true]));
  const parts = text.toLowerCase().split("?");
  const pieces: Piece[] = [];
  let unknown: string | undefined;
  const words = (part: string) => {
    const found = [...part.matchAll(WORD)].map(([word]) => word.replace(/\s/g, ""));
    unknown ??= found.find((word) => !known.has(word));
    return found;
  };
  parts.forEach((part, i) => {
    const given = i > 0 ? GIVEN.exec(part) : null;
    if (given) {
      const [answer] = words(given[1]);
      pieces[i - 1].given = answer;
      part = part.slice(given[0].length);
    }
    if (i > 0) part = part.replace(STOP, "");
    const asked = i < parts.length - 1;
    pieces.push({ words: words(asked ? `${part}?` : part), given: null, asked });
  });
  if (unknown !== undefined) {
    const near = nearest(unknown, vocabulary.slice(SPECIAL)).map((word) => `“${word}”`);
    return `“${unknown}” is not one of the ${known.size} words it knows; close to it: ${near.join(", ")}`;
  }
  if (parts.length < 2) return text.trim() ? "Now ask something, such as: where is john?" : "Type a story, and a question that ends in “?”.";
  return pieces;
}

/** Reads a story. The network reads on the answer that stands behind a question, and its own where none does. */
export function read(model: FastWeightMemoryLSTM, pieces: Piece[], vocabulary: readonly string[], knobs: Knobs): Told {
  const index = new Map(vocabulary.map((word, token) => [word, token]));
  const session = model.begin(knobs);
  const told: Told = { words: [], questions: [] };
  let sentence = 0;
  let begins = true;
  const push = (token: number, kind: Word["kind"]) => {
    session.push(token);
    told.words.push({ token, text: vocabulary[token], kind, sentence });
  };
  push(EOS, "told");
  for (const { words, given, asked } of pieces) {
    for (const word of words) {
      if (begins) sentence++;
      push(index.get(word)!, "told");
      begins = word === "." || word === "?";
    }
    if (!asked) break;
    const chain = session.ask();
    const probabilities = softmax(chain.logits.at(-1)!);
    const answer = argmax(probabilities);
    told.questions.push({ at: told.words.length - 1, sentence, chain, probabilities, answer: vocabulary[answer], given });
    push(given === null ? answer : index.get(given)!, given === null ? "own" : "given");
  }
  return told;
}

/** Whether an answer is right; null where nothing says which one is. */
export function isRight(answer: string, truths: readonly string[]): boolean | null {
  return truths.length ? truths.includes(answer) : null;
}
