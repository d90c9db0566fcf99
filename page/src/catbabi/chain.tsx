/** The reads of a question, one beside the other. */

import { argmax, shares, softmax } from "../models/linear";
import { percent, probability } from "../text";
import type { Asked, Told } from "./story";
import { readColour } from "./words";

interface Props {
  told: Told;
  asked: Asked;
  vocabulary: readonly string[];
  only: number | null;
  onOnly: (read: number | null) => void;
}

export function Follow({ told, asked, vocabulary, only, onOnly }: Props) {
  const { weights, logits } = asked.chain;
  return (
    <>
      <div class="chain">
        {weights.map((each, read) => {
          const taken = shares(each);
          const most = [...taken.keys()].sort((a, b) => taken[b] - taken[a]).slice(0, 3);
          const found = softmax(logits[read]);
          const best = argmax(found);
          const last = read === weights.length - 1;
          return (
            <div key={read} class="read" style={{ "--colour": readColour(read) }}>
              <button type="button" aria-pressed={only === read} onClick={() => onOnly(only === read ? null : read)}>
                read {read + 1}
                <small>{only === read ? "show all reads above" : "show it alone above"}</small>
              </button>
              <ul>
                {most.map((place) => (
                  <li key={place}>
                    <span>{percent(taken[place])}</span>
                    <Quoted told={told} place={place} />
                  </li>
                ))}
              </ul>
              <p>
                {last ? "So it answers" : "Ending here it would answer"} <b>{vocabulary[best]}</b>, {probability(found[best])}
              </p>
            </div>
          );
        })}
      </div>
      <p class="note">
        The weight of a past word is ⟨<i>k</i>
        <sub>1</sub>, <i>n</i>⟩⟨<i>k</i>
        <sub>2</sub>, <i>e</i>⟩: how well its two keys fit the two parts of the query, times what is left of its write.
        Which read finds what differs from run to run; a word holds what the LSTM knows by then, often the whole
        sentence so far.
      </p>
    </>
  );
}

/** A word in its sentence. */
function Quoted({ told, place }: { told: Told; place: number }) {
  if (place === 0) return <span>the start of the story</span>;
  const { sentence } = told.words[place];
  const places = told.words.flatMap((word, i) => (word.sentence === sentence && (word.kind === "told" || i === place) ? [i] : []));
  return (
    <span class="quoted">
      {places.map((i) => {
        const { text } = told.words[i];
        const space = i === places[0] || /^[.?]$/.test(text) ? "" : " ";
        return i === place ? (
          <span key={i}>
            {space}
            <b>{text}</b>
          </span>
        ) : (
          space + text
        );
      })}
    </span>
  );
}
