/** The story as it was read, with stripes under each word: what each read took from it. */

import { shares } from "../models/linear";
import type { Told, Word } from "./story";

/** The colours of reads, by their number from 0; a place says it too. */
export const readColour = (read: number): string => `var(--read-${(read % 5) + 1})`;

interface Props {
  told: Told;
  chosen: number;
  /** The read whose stripes alone are shown; null: all. */
  only: number | null;
  /** The sentences that the rules name. */
  supports: number[];
  onChoose: (question: number) => void;
}

export function Story({ told, chosen, only, supports, onChoose }: Props) {
  const { chain, at } = told.questions[chosen];
  const strengths = chain.weights.map((weights) => {
    const taken = shares(weights);
    const most = Math.max(...taken) || 1;
    return taken.map((share) => (share / most) ** 1.5);
  });
  const stripes = (place: number) => (
    <span class="stripes" aria-hidden="true">
      {strengths.map((strength, read) => (
        <span key={read} style={{ "--colour": readColour(read), "--strength": only === null || only === read ? strength[place] ?? 0 : 0 }} />
      ))}
    </span>
  );
  const question = (place: number) => told.questions.findIndex((each) => each.at === place);
  const shown = (word: Word, place: number) => {
    const number = question(place);
    if (number < 0) return place === 0 ? <span class="start">start</span> : word.text;
    return (
      <button type="button" aria-pressed={number === chosen} aria-label={`question ${number + 1}`} onClick={() => onChoose(number)}>
        ?
      </button>
    );
  };
  return (
    <div class="told">
      <p class="caption" id="told">
        what it read, and under each word what was taken from it at the chosen <b>?</b> by{" "}
        {chain.weights.map((_, read) => (
          <span key={read} class="key" style={{ "--colour": readColour(read) }}>
            read {read + 1}
          </span>
        ))}
        {supports.length > 0 && <span class="support">sentence that the rules need</span>}
      </p>
      <p class="words" role="group" aria-labelledby="told">
        {lines(told.words).map((line, i) => (
          <span key={i} class="line">
            {line.map(([first, ...stops]) => (
              <span key={first} class={`word ${told.words[first].kind} ${supports.includes(told.words[first].sentence) && told.words[first].kind === "told" ? "support" : ""} ${first > at ? "later" : ""}`}>
                {[first, ...stops].map((place) => (
                  <span key={place}>
                    {shown(told.words[place], place)}
                    {stripes(place)}
                  </span>
                ))}{" "}
              </span>
            ))}
          </span>
        ))}
      </p>
    </div>
  );
}

/** The places of words, a line for each question with its answer; a stop stays with the word before it. */
function lines(words: Word[]): number[][][] {
  const found: number[][][] = [[]];
  words.forEach((word, place) => {
    const line = found.at(-1)!;
    if (/^[.?,]$/.test(word.text) && line.length) line.at(-1)!.push(place);
    else line.push([place]);
    const next = words[place + 1];
    if (word.kind !== "told" && next) found.push([]);
  });
  return found;
}
