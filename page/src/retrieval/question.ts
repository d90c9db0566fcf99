/** Questions of associative retrieval: pairs of a letter and a digit, then one of the letters. */

import { below } from "../random";
import type { RetrievalPage } from "../run";

export const LETTERS = "abcdefghijklmnopqrstuvwxyz";
export const DIGITS = "0123456789";
export const SYMBOLS = LETTERS + DIGITS + "?";

export type Form = RetrievalPage["task"]["form"];

export interface Question {
  text: string;
  tokens: number[];
  pairs: number;
  /** The letter asked for, its place among the pairs from 0, and its digit; with several, those of the last pair. */
  key: string;
  slot: number;
  answer: number;
}

/** How a sequence ends that asks for a letter. */
export const ending = (form: Form, letter: string): string => `??${letter}${form === "paper" ? "" : "?"}`;

/** Reads what was typed; a string says the next thing to do. */
export function parse(typed: string, form: Form): Question | string {
  const text = typed.trim().toLowerCase();
  const example = `c9k8${ending(form, "c")}`;
  if (!text) return `Type a letter and a digit, a few times, then ask: ${example}`;
  const wrong = [...text].find((symbol) => !SYMBOLS.includes(symbol));
  if (wrong) return `“${wrong}” is not one of its symbols: letters a to z, digits 0 to 9 and ?`;
  const [told] = text.split("??", 1);
  const asked = text.slice(told.length + 2);
  for (let place = 0; place < told.length; place++) {
    const symbol = told[place];
    if (symbol === "?") return told.length === place + 1 ? `One more ? and then a letter: ${told}?${told[0]}` : "Two ? stand together, after the pairs.";
    if (place % 2 === 0 && !LETTERS.includes(symbol)) return `Symbol ${place + 1} is ${symbol}, and a letter belongs there: letters and digits take turns.`;
    if (place % 2 === 1 && !DIGITS.includes(symbol)) return `Symbol ${place + 1} is ${symbol}, and a digit belongs there: letters and digits take turns.`;
  }
  if (told.length % 2) return `Now a digit for ${told[told.length - 1]}.`;
  const pairs = told.length / 2;
  if (!pairs) return `First a letter and its digit: ${example}`;
  if (pairs > LETTERS.length) return `${pairs} pairs are more than the 26 that can be shown.`;
  const letters = [...told].filter((_, place) => place % 2 === 0);
  if (!text.includes("??")) return `Now ask: ${told}${ending(form, told[0])}`;
  if (!asked || !LETTERS.includes(asked[0])) return `Now one of its letters: ${told}${ending(form, told[0])}`;
  const key = asked[0];
  const slot = letters.lastIndexOf(key);
  if (slot < 0) return `${key} has no digit here. Its letters: ${[...new Set(letters)].join(", ")}`;
  if (asked.slice(1) !== ending(form, key).slice(3)) {
    return form === "paper" ? `It ends with the letter asked for: ${told}??${key}` : `This network answers one step later, at a last ?: ${told}??${key}?`;
  }
  return { text, tokens: encode(text), pairs, key, slot, answer: Number(told[2 * slot + 1]) };
}

export const encode = (text: string): number[] => [...text].map((symbol) => SYMBOLS.indexOf(symbol));

/** Draws a question: letters in random order, digits one by one, each pair asked for equally often. */
export function draw(random: () => number, pairs: number, form: Form): Question {
  const letters = [...LETTERS];
  let text = "";
  for (let pair = 0; pair < pairs; pair++) {
    text += letters.splice(below(random, letters.length), 1)[0] + below(random, 10);
  }
  const slot = below(random, pairs);
  text += ending(form, text[2 * slot]);
  return { text, tokens: encode(text), pairs, key: text[2 * slot], slot, answer: Number(text[2 * slot + 1]) };
}
