/** A times each key of the sequence, read out as digits. */

import { useMemo } from "preact/hooks";
import type { FastWeightRNN, Knobs } from "../models/fast_weight_rnn";
import { argmax, softmax } from "../models/linear";
import { percent, probability } from "../text";
import { encode, ending, type Form, type Question } from "./question";

interface Props {
  model: FastWeightRNN;
  question: Question;
  knobs: Knobs;
  form: Form;
  onText: (text: string) => void;
}

export function Stored({ model, question, knobs, form, onText }: Props) {
  const told = question.text.slice(0, 2 * question.pairs);
  const rows = useMemo(() => {
    const digits = new Map<string, number>();
    for (let place = 0; place < told.length; place += 2) digits.set(told[place], Number(told[place + 1]));
    return [...digits].map(([letter, digit]) => {
      const text = told + ending(form, letter);
      const found = softmax(model.logits(model.read(encode(text), knobs).states.at(-1)!));
      return { letter, digit, text, found, best: argmax(found) };
    });
  }, [model, told, knobs, form]);
  const right = rows.filter((row) => row.best === row.digit).length;
  return (
    <>
      <p class="tally" role="status">
        <b>
          {right} of {rows.length}
        </b>{" "}
        come back right
      </p>
      <ul class="stored">
        {rows.map(({ letter, digit, text, found, best }) => (
          <li key={letter}>
            <button type="button" class="mono" aria-label={`ask for ${letter}`} aria-pressed={letter === question.key} onClick={() => onText(text)}>
              {letter}
            </button>
            <span class="spark" role="img" aria-label={`digits under ${letter}: ${best} with ${percent(found[best])}`}>
              {[...found].map((share, each) => (
                <span key={each} class={each === digit ? "truth" : ""} style={{ "--share": share }} />
              ))}
            </span>
            <span class={best === digit ? "right" : "wrong"}>
              {best === digit ? `✓ ${best}` : `✗ ${best}, not ${digit}`} <small>{probability(found[best])}</small>
            </span>
          </li>
        ))}
      </ul>
      <p class="note">Bars: the digits 0 to 9; the blue one is the digit that was read with the letter.</p>
    </>
  );
}
