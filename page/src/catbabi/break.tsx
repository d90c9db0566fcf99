/** The strength of writing and the number of reads changed, and what becomes of all questions of the examples. */

import { useEffect, useState } from "preact/hooks";
import type { FastWeightMemoryLSTM, Knobs } from "../models/fwm";
import { Presets, Slider } from "../parts/controls";
import type { CatBAbIPage } from "../run";
import { inSlices } from "../work";
import { isRight, parse, read } from "./story";

type Preset = "trained" | "silent" | "faint" | "once";
type Marks = (boolean | null)[][];

interface Props {
  model: FastWeightMemoryLSTM;
  run: CatBAbIPage;
  knobs: Knobs;
  onKnobs: (knobs: Knobs) => void;
  onStory: (story: string) => void;
}

export function Break({ model, run, knobs, onKnobs, onStory }: Props) {
  const { trained } = model;
  const settings: Record<Preset, Knobs> = {
    trained,
    silent: { ...trained, strength: 0 },
    faint: { ...trained, strength: 0.2 },
    once: { ...trained, reads: 1 },
  };
  const presets: [Preset, string][] = [
    ["trained", "as trained"],
    ["silent", "it does not write"],
    ["faint", "it writes faintly"],
  ];
  if (trained.reads > 1) presets.push(["once", "it reads once"]);
  const current = presets.find(([name]) => settings[name].strength === knobs.strength && settings[name].reads === knobs.reads)?.[0] ?? null;
  const [marks, setMarks] = useState<Marks>([]);
  useEffect(() => inSlices(marked(model, run, knobs), setMarks), [model, run, knobs]);
  const all = marks.flat();
  const right = all.filter((mark) => mark === true).length;
  const known = all.filter((mark) => mark !== null).length;
  const done = marks.length === run.examples.length;
  return (
    <div class="two">
      <div>
        <Presets label="ready-made settings" options={presets} value={current} onChange={(name) => onKnobs(settings[name])} />
        <Slider
          symbol="β" name="strength of writing" least={0} most={2} step={0.01} value={knobs.strength} trained={1}
          help="Multiplies the strength that the network chooses for each write. At 0 the memory stays empty."
          onChange={(strength) => onKnobs({ ...knobs, strength })}
        />
        {trained.reads > 1 && (
          <Slider
            symbol="R" name="reads" least={1} most={trained.reads} step={1} value={knobs.reads} trained={trained.reads}
            help="How many reads of the chain are made before it answers."
            onChange={(reads) => onKnobs({ ...knobs, reads })}
          />
        )}
      </div>
      <div data-right={done ? right : undefined}>
        <p class="large" role="status">
          <strong class={done ? "" : "counting"}>
            {right} of {known}
          </strong>
          <span>questions of the stories above right{current === "trained" ? ", as trained" : ", with your settings"}</span>
        </p>
        <ul class="marked">
          {run.examples.map((example, i) => (
            <li key={i}>
              <button type="button" class="link" onClick={() => onStory(example.story)}>
                {example.label}
              </button>
              <span role="img" aria-label={marks[i] ? `${marks[i].filter(Boolean).length} of ${marks[i].length} right` : "not asked yet"}>
                {marks[i]?.map((mark, question) => (
                  <span key={question} class={mark ? "right" : "wrong"}>
                    {mark === null ? "·" : mark ? "✓" : "✗"}
                  </span>
                ))}
              </span>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

/** Answers the questions of the examples one after the other. */
function* marked(model: FastWeightMemoryLSTM, run: CatBAbIPage, knobs: Knobs): Generator<Marks, void> {
  const marks: Marks = [];
  for (const { story, solved } of run.examples) {
    const pieces = parse(story, run.vocabulary);
    const { questions } = typeof pieces === "string" ? { questions: [] } : read(model, pieces, run.vocabulary, knobs);
    marks.push(questions.map(({ answer }, i) => isRight(answer, solved[i].word ? [solved[i].word, ...solved[i].others] : [])));
    yield [...marks];
  }
}
