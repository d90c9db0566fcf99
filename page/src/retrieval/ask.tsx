/** A question, the network's way through it, and its answer. */

import { useEffect, useId, useState } from "preact/hooks";
import type { Knobs, Reading } from "../models/fast_weight_rnn";
import { argmax, shares, type Vector } from "../models/linear";
import { percent, probability } from "../text";
import { ending, LETTERS, type Form, type Question } from "./question";
import { Strip } from "./strip";

interface Props {
  text: string;
  error: string | null;
  form: Form;
  question: Question;
  reading: Reading;
  step: number;
  answer: Vector;
  knobs: Knobs;
  onText: (text: string) => void;
  /** Draws another question, of so many pairs. */
  onRandom: (pairs: number) => void;
  onStep: (step: number) => void;
}

export function Ask(props: Props) {
  const { text, error, form, question, reading, step, answer, knobs, onText, onRandom, onStep } = props;
  const { pairs } = question;
  const id = useId();
  const last = question.tokens.length - 1;
  return (
    <>
      <div class="question">
        <label for={id}>a sequence, and the letter to ask for</label>
        <input
          id={id}
          class="mono"
          value={text}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-invalid={error !== null}
          aria-describedby={`${id}-error`}
          onInput={(event) => onText(event.currentTarget.value)}
        />
        <div class="beside">
          <button type="button" onClick={() => onRandom(pairs)}>
            Random question
          </button>
          <label>
            of{" "}
            <select value={pairs} onChange={(event) => onRandom(Number(event.currentTarget.value))}>
              {[...LETTERS].map((_, i) => (
                <option key={i} value={i + 1}>
                  {i + 1}
                </option>
              ))}
            </select>{" "}
            {pairs === 1 ? "pair" : "pairs"}
          </label>
        </div>
        <p id={`${id}-error`} class={error ? "hint error" : "hint"} role="status">
          {error ?? `Pairs such as c9, then ${ending(form, "c")} asks for the digit of c. Keys: ← → step, Home, End, r another question.`}
        </p>
      </div>
      <div class={error ? "played stale" : "played"}>
        <Strip question={question} reading={reading} step={step} onStep={onStep} />
        <Answer question={question} answer={answer} final={step === last} />
        <Player step={step} last={last} onStep={onStep} />
        <p class="sentence" role="status">
          <span class="count">
            {step + 1}/{last + 1}
          </span>{" "}
          {sentence(question, reading, step, answer, knobs)}
        </p>
      </div>
    </>
  );
}

/** What a step did, in a sentence. */
function sentence(question: Question, reading: Reading, step: number, answer: Vector, knobs: Knobs): string {
  const symbol = question.text[step];
  const taken = reading.weights[step].at(-1)!;
  const size = taken.reduce((sum, weight) => sum + Math.abs(weight), 0);
  const last = step === question.tokens.length - 1;
  const best = argmax(answer);
  const end = last ? ` The answer: ${best}, ${probability(answer[best])}.` : "";
  if (!knobs.memory) return `The memory is switched off: nothing is read.${end}`;
  if (step === 0) return `The memory is still empty. The state at ${symbol} is written.`;
  if (size < 1e-9) {
    const silent = reading.asking[step].at(-1)!.every((unit) => unit === 0);
    const why = silent ? "no unit is active before the read, so nothing is read" : "nothing is left that fits";
    return `At ${symbol} ${why}: this step only writes.${end}`;
  }
  const parts = shares(taken);
  const ranked = [...parts.keys()].sort((a, b) => parts[b] - parts[a]).slice(0, 2);
  const named = ranked
    .filter((past) => parts[past] > 0.05)
    .map((past) => `${question.text[past]} at step ${past + 1} (${percent(parts[past])})`);
  return `The read takes most from ${named.join(" and ")}.${end || " Then the state is written."}`;
}

function Answer({ question, answer, final }: { question: Question; answer: Vector; final: boolean }) {
  const best = argmax(answer);
  const right = best === question.answer;
  return (
    <div class={final ? "answer" : "answer early"} data-answer={best} data-probability={answer[best]}>
      <p>{final ? "its answer" : "if it had to answer now"}</p>
      <div class="said">
        <strong>{best}</strong>
        <div>
          {probability(answer[best])}
          {final && <span class={right ? "right" : "wrong"}>{right ? "✓ right" : `✗ it is ${question.answer}`}</span>}
        </div>
      </div>
      <ol class="digits" aria-label="probability of each digit">
        {[...answer].map((value, digit) => (
          <li key={digit} class={`${digit === best ? "best" : ""} ${digit === question.answer ? "truth" : ""}`}>
            <span class="bar" style={{ "--share": value }} />
            <span>{digit}</span>
            <span class="hidden">{probability(value)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  back: "M11 3v10L4 8z",
  on: "M5 3v10l7-5z",
  last: "M11 3h2v10h-2zM3 3v10l7-5z",
};

function Player({ step, last, onStep }: { step: number; last: number; onStep: (step: number) => void }) {
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return undefined;
    if (step >= last) {
      setPlaying(false);
      return undefined;
    }
    const timer = setTimeout(() => onStep(step + 1), last > 20 ? 350 : 800);
    return () => clearTimeout(timer);
  }, [playing, step, last]);
  const play = () => {
    if (!playing && step >= last) onStep(0);
    setPlaying(!playing);
  };
  const go = (to: number) => {
    setPlaying(false);
    onStep(to);
  };
  const button = (icon: keyof typeof ICONS, label: string, to: number) => (
    <button type="button" aria-label={label} disabled={to < 0 || to > last || to === step} onClick={() => go(to)}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={ICONS[icon]} />
      </svg>
    </button>
  );
  return (
    <div class="player" role="group" aria-label="steps">
      {button("first", "first step", 0)}
      {button("back", "step back", step - 1)}
      <button type="button" class="primary" onClick={play}>
        {playing ? "Pause" : "Play"}
      </button>
      {button("on", "step on", step + 1)}
      {button("last", "last step", last)}
    </div>
  );
}
