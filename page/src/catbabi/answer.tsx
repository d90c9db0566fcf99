/** The network's answer, beside that of the rules. */

import type { Solved } from "../run";
import { percent, probability } from "../text";
import { isRight, type Asked, type Told } from "./story";

interface Props {
  told: Told;
  asked: Asked;
  vocabulary: readonly string[];
  /** Answers that are right; none where that is not known. */
  truths: string[];
  solved: Solved | undefined;
}

export function Answer({ told, asked, vocabulary, truths, solved }: Props) {
  const { probabilities, answer } = asked;
  const right = isRight(answer, truths);
  const likeliest = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 5);
  return (
    <div class="answer" data-answer={answer} data-probability={probabilities[likeliest[0]]}>
      <p>its answer</p>
      <div class="said word-answer">
        <strong>{answer}</strong>
        <div>
          {probability(probabilities[likeliest[0]])}
          {right !== null && <span class={right ? "right" : "wrong"}>{right ? "✓ right" : `✗ it is ${truths[0]}`}</span>}
        </div>
      </div>
      <ol class="likeliest" aria-label="the likeliest words">
        {likeliest.map((token, rank) => (
          <li key={rank} class={rank ? "" : "best"}>
            <span>{vocabulary[token]}</span>
            <span class="bar" aria-hidden="true" style={{ "--share": probabilities[token] }} />
            <span>{percent(probabilities[token], 1)}</span>
          </li>
        ))}
      </ol>
      {solved && (
        <div class="rules">
          <p>
            By the rules of bAbI: <b>{solved.word ?? "the story does not say"}</b>
            {solved.others.length > 0 && <> (or {solved.others.join(", ")})</>}
            {solved.supports.length > 0 && ", since"}
          </p>
          <ul>
            {solved.supports.map((number) => (
              <li key={number}>“{sentenceText(told, number)}”</li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

/** A sentence of the story as it is written. */
function sentenceText(told: Told, sentence: number): string {
  const words = told.words.filter((word) => word.sentence === sentence && word.kind === "told");
  return words.map((word) => word.text).join(" ").replace(/ ([.?])/g, "$1");
}
