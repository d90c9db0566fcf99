/** The page of a retrieval run: ask it, step through it, look into its memory, break it. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { FastWeightRNN, type Knobs } from "../models/fast_weight_rnn";
import { softmax } from "../models/linear";
import { Page } from "../parts/page";
import { Section } from "../parts/controls";
import { generator } from "../random";
import type { RetrievalPage } from "../run";
import { fromAddress } from "../theme";
import { readTensors } from "../weights";
import { Ask } from "./ask";
import { Break } from "./break";
import { Equations } from "./equations";
import { Look } from "./look";
import { draw, encode, parse, type Question } from "./question";
import { Stored } from "./stored";

export function RetrievalView({ run }: { run: RetrievalPage }) {
  const model = useMemo(() => new FastWeightRNN(run.model, readTensors(run.weights)), [run]);
  const { form } = run.task;
  const [text, setText] = useState(fromAddress("q") ?? run.shown);
  const [knobs, setKnobs] = useState<Knobs>(model.trained);
  const parsed = useMemo(() => parse(text, form), [text, form]);
  // Beside an error the last question that could be read stays, in grey.
  const kept = useRef<Question | null>(null);
  if (typeof parsed !== "string") kept.current = parsed;
  const question = (kept.current ??= parse(run.shown, form) as Question);
  const [step, setStep] = useState(Infinity);
  const change = (typed: string) => {
    setText(typed);
    setStep(Infinity);
  };

  const reading = useMemo(() => model.read(question.tokens, knobs), [model, question, knobs]);
  const last = question.tokens.length - 1;
  const at = Math.min(step, last);
  const [random] = useState(() => generator(Date.now()));
  const ask = (pairs = question.pairs) => change(draw(random, pairs, form).text);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if ((event.target as Element).closest("input, textarea, select")) return;
      const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
      // From the step that is now, which may be later than the one drawn: keys can come faster than pictures.
      if (event.key in moves) setStep((now) => Math.max(0, Math.min(last, Math.min(now, last) + moves[event.key])));
      else if (event.key === "r") ask();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });

  useEffect(() => {
    const tokens = (typed: string) => encode(typed);
    const logits = (typed: string, given?: Partial<Knobs>) =>
      [...model.logits(model.read(tokens(typed), { ...model.trained, ...given }).states.at(-1)!)];
    window.fastweights = {
      logits,
      written: (typed: string, given?: Partial<Knobs>) =>
        [...model.logits(model.readWritten(tokens(typed), { ...model.trained, ...given }).at(-1)!)],
      weights: (typed: string, given?: Partial<Knobs>) =>
        model.read(tokens(typed), { ...model.trained, ...given }).weights.map((reads) => reads.map((read) => [...read])),
    };
  }, [model]);

  const answer = softmax(model.logits(reading.states[at]));
  return (
    <Page
      kind="a trained network, running in this page"
      title="A memory that is written while it reads"
      lead={
        <>
          The network reads pairs of a letter and a digit, then one of the letters, and must answer with its digit. Its
          weights stay as they are; what it has just read lives in a second, <em>fast</em> weight matrix <i>A</i>, empty
          at the start, written at every symbol and read at the next.
        </>
      }
      facts={run.facts}
    >
      <Section number={1} title="Ask it something">
        <Ask
          text={text}
          error={typeof parsed === "string" ? parsed : null}
          form={form}
          question={question}
          reading={reading}
          step={at}
          answer={answer}
          knobs={knobs}
          onText={change}
          onRandom={ask}
          onStep={setStep}
        />
      </Section>
      <Section number={2} title="Look into the memory">
        <Look model={model} question={question} reading={reading} step={at} knobs={knobs} onStep={setStep} />
      </Section>
      <Section
        number={3}
        title="What is stored under each letter"
        lead={
          <>
            Each letter of the sequence in turn: the state with which it asks is multiplied by <i>A</i>, and the
            network’s own read-out turns what comes back into digits. A letter is a button that asks for it above.
          </>
        }
      >
        <Stored model={model} question={question} knobs={knobs} form={form} onText={change} />
      </Section>
      <Section
        number={4}
        title="Break it"
        lead="The weights stay as training left them; these change how the memory is written and read, here and in everything above."
      >
        <Break model={model} task={run.task} pairs={question.pairs} knobs={knobs} onKnobs={setKnobs} />
      </Section>
      <Equations model={run.model} />
    </Page>
  );
}

declare global {
  interface Window {
    /** What tests ask the page; not for others. */
    fastweights: Record<string, (...given: never[]) => unknown>;
  }
}
