/** The page of a catbAbI run: a story, a question, and the chain of reads that answers it. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { FastWeightMemoryLSTM, type Knobs } from "../models/fwm";
import { Section } from "../parts/controls";
import { Page } from "../parts/page";
import type { CatBAbIPage, Solved } from "../run";
import { fromAddress } from "../theme";
import { readTensors } from "../weights";
import { Answer } from "./answer";
import { Break } from "./break";
import { Follow } from "./chain";
import { Equations } from "./equations";
import { parse, read } from "./story";
import { Story } from "./words";

const COUNTS = ["no read", "one read", "two reads", "three reads", "four reads", "five reads"];

export function CatBAbIView({ run }: { run: CatBAbIPage }) {
  const model = useMemo(() => new FastWeightMemoryLSTM(run.model, readTensors(run.weights)), [run]);
  const { vocabulary, examples } = run;
  const first = examples[0]?.story ?? "";
  const [text, setText] = useState(fromAddress("q") ?? first);
  const [knobs, setKnobs] = useState<Knobs>(model.trained);
  const parsed = useMemo(() => parse(text, vocabulary), [text, vocabulary]);
  // Beside an error the last story that could be read stays, in grey.
  const kept = useRef({ text: first, pieces: useMemo(() => parse(first, vocabulary), []) });
  if (typeof parsed !== "string" && kept.current.text !== text) kept.current = { text, pieces: parsed };
  const { text: shown, pieces } = kept.current;
  const told = useMemo(
    () => (typeof pieces === "string" ? null : read(model, pieces, vocabulary, knobs)),
    [model, pieces, vocabulary, knobs],
  );
  const [chosen, setChosen] = useState(Infinity);
  const [only, setOnly] = useState<number | null>(null);
  const change = (typed: string) => {
    setText(typed);
    setChosen(Infinity);
  };
  const turn = (next: Knobs) => {
    setKnobs(next);
    setOnly(null);
  };

  useEffect(() => {
    window.fastweights = {
      read: (typed: string, given?: Partial<Knobs>) => {
        const pieces = parse(typed, vocabulary);
        if (typeof pieces === "string") return pieces;
        return read(model, pieces, vocabulary, { ...model.trained, ...given }).questions.map(({ chain, answer }) => ({
          answer,
          logits: [...chain.logits.at(-1)!],
          weights: chain.weights.map((weights) => [...weights]),
        }));
      },
    };
  }, [model, vocabulary]);

  const example = examples.findIndex((each) => each.story === shown);
  const at = told ? Math.min(chosen, told.questions.length - 1) : 0;
  const asked = told?.questions[at];
  const solved: Solved | undefined = examples[example]?.solved[at];
  const truths = solved?.word ? [solved.word, ...solved.others] : asked?.given ? [asked.given] : [];
  return (
    <Page
      kind="a trained network, running in this page"
      title={`One story, one question, ${COUNTS[run.model.reads] ?? `${run.model.reads} reads`}`}
      lead={
        <>
          The network reads a story word by word. At each word it writes one association into a{" "}
          <em>fast weight memory</em> <i>F</i>; at a question mark it reads that memory in a chain, each read asking with
          what the one before it found. Its weights stay as training left them: whatever it knows of this story stands in{" "}
          <i>F</i>.
        </>
      }
      facts={run.facts}
    >
      <Section number={1} title="Write a story and ask">
        <div class="choose">
          <label>
            a story of bAbI{" "}
            <select value={example} onChange={(event) => change(examples[Number(event.currentTarget.value)].story)}>
              {example < 0 && <option value={-1}>your own</option>}
              {examples.map((each, i) => (
                <option key={i} value={i}>
                  {each.label}
                </option>
              ))}
            </select>
          </label>
          {examples.length > 1 && (
            <button type="button" onClick={() => change(examples[(example + 1) % examples.length].story)}>
              Next story
            </button>
          )}
        </div>
        <Typed text={text} error={typeof parsed === "string" ? parsed : null} vocabulary={vocabulary} onText={change} />
        {told && asked && (
          <div class={typeof parsed === "string" ? "story stale" : "story"}>
            <Story told={told} chosen={at} only={only} supports={solved?.supports ?? []} onChoose={setChosen} />
            <Answer told={told} asked={asked} vocabulary={vocabulary} truths={truths} solved={solved} />
          </div>
        )}
      </Section>
      {told && asked && (
        <Section
          number={2}
          title="Follow the chain"
          lead="What each read took most from, in the sentence where it stands, and what the network would answer if the chain ended there."
        >
          <Follow told={told} asked={asked} vocabulary={vocabulary} only={only} onOnly={setOnly} />
        </Section>
      )}
      <Section
        number={3}
        title="Break it"
        lead="The weights stay as training left them; these change how strongly the memory is written and how often it is read, here and in everything above."
      >
        <Break model={model} run={run} knobs={knobs} onKnobs={turn} onStory={change} />
      </Section>
      <Equations run={run} />
    </Page>
  );
}

interface TypedProps {
  text: string;
  error: string | null;
  vocabulary: string[];
  onText: (text: string) => void;
}

function Typed({ text, error, vocabulary, onText }: TypedProps) {
  return (
    <div class="typed">
      <label for="story">or your own, in sentences like these, with a question at the end</label>
      <textarea
        id="story"
        rows={Math.min(12, Math.max(3, text.split("\n").length, Math.ceil(text.length / 90)))}
        value={text}
        spellcheck={false}
        aria-invalid={error !== null}
        aria-describedby="story-error"
        onInput={(event) => onText(event.currentTarget.value)}
      />
      <p id="story-error" class={error ? "hint error" : "hint"} role="status">
        {error ?? "A word behind a “?”, alone in its line, is read on as the answer; without one the network reads on its own."}
      </p>
      <details>
        <summary>all {vocabulary.length - 2} words it knows</summary>
        <p>{vocabulary.slice(2).join(" ")}</p>
      </details>
    </div>
  );
}
