/** How often the network is right, counted here. */

import type { FastWeightRNN, Knobs } from "../models/fast_weight_rnn";
import { argmax } from "../models/linear";
import { generator } from "../random";
import { draw, LETTERS, type Form } from "./question";

export const QUESTIONS = 1000;
const BY_PAIRS = 100;

export interface Count {
  asked: number;
  right: number;
  /** Right and asked, by the pair asked for. */
  slots: [number, number][];
}

/** Counts right answers to random questions, the same ones for everybody. */
export function* countRight(model: FastWeightRNN, pairs: number, form: Form, knobs: Knobs, questions = QUESTIONS): Generator<Count, void> {
  const random = generator(pairs);
  const slots = Array.from({ length: pairs }, (): [number, number] => [0, 0]);
  let right = 0;
  for (let asked = 1; asked <= questions; asked++) {
    const question = draw(random, pairs, form);
    const state = model.read(question.tokens, knobs).states.at(-1)!;
    const correct = argmax(model.logits(state)) === question.answer ? 1 : 0;
    right += correct;
    slots[question.slot][0] += correct;
    slots[question.slot][1] += 1;
    yield { asked, right, slots: slots.map(([some, all]) => [some, all]) };
  }
}

/** Measures accuracy at 1, 2 … 26 pairs. */
export function* curve(model: FastWeightRNN, form: Form, knobs: Knobs): Generator<number[], void> {
  const found: number[] = [];
  for (let pairs = 1; pairs <= LETTERS.length; pairs++) {
    let last = 0;
    for (const { asked, right } of countRight(model, pairs, form, knobs, BY_PAIRS)) {
      last = right / asked;
      if (asked < BY_PAIRS) yield found;
    }
    found.push(last);
    yield [...found];
  }
}
