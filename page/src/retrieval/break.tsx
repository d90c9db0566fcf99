/** λ, η, S and the memory itself changed, and what becomes of 1,000 questions. */

import { useEffect, useState } from "preact/hooks";
import type { FastWeightRNN, Knobs } from "../models/fast_weight_rnn";
import { byCount, Chart, type Line } from "../parts/chart";
import { Presets, Slider, Switch } from "../parts/controls";
import type { RetrievalPage } from "../run";
import { percent } from "../text";
import { inSlices } from "../work";
import { countRight, curve, QUESTIONS, type Count } from "./measure";

type Preset = "trained" | "forgets" | "last" | "strong" | "three";

interface Props {
  model: FastWeightRNN;
  task: RetrievalPage["task"];
  pairs: number;
  knobs: Knobs;
  onKnobs: (knobs: Knobs) => void;
}

export function Break({ model, task, pairs, knobs, onKnobs }: Props) {
  const { trained } = model;
  const settings: Record<Preset, Knobs> = {
    trained,
    forgets: { ...trained, decay: 0.4 },
    last: { ...trained, decay: 0 },
    strong: { ...trained, rate: 2 },
    three: { ...trained, steps: 3 },
  };
  const presets: [Preset, string][] = [
    ["trained", "as trained"],
    ["forgets", "it forgets"],
    ["last", "it only knows the last step"],
    ["strong", "it writes too strongly"],
  ];
  if (model.hasInnerSteps) presets.push(["three", "it reads three times"]);
  const current = presets.find(([name]) => same(settings[name], knobs))?.[0] ?? null;
  return (
    <div class="two">
      <div>
        <Presets label="ready-made settings" options={presets} value={current} onChange={(name) => onKnobs(settings[name])} />
        <Switch
          label="no memory"
          on={!knobs.memory}
          help="Leaves A h out of every step: what the slow weights alone can do."
          onChange={(off) => onKnobs({ ...knobs, memory: !off })}
        />
        <Slider
          symbol="λ" name="decay" least={0} most={1} step={0.01} value={knobs.decay} trained={trained.decay} disabled={!knobs.memory}
          help="What is left of A after each step. 0 forgets at once, 1 never."
          onChange={(decay) => onKnobs({ ...knobs, decay })}
        />
        <Slider
          symbol="η" name="rate" least={0} most={2} step={0.01} value={knobs.rate} trained={trained.rate} disabled={!knobs.memory}
          help="How strongly a state is written. At 0 the memory stays empty."
          onChange={(rate) => onKnobs({ ...knobs, rate })}
        />
        {model.hasInnerSteps && (
          <Slider
            symbol="S" name="inner steps" least={1} most={6} step={1} value={knobs.steps} trained={trained.steps}
            help="How often a step reads A before it settles."
            onChange={(steps) => onKnobs({ ...knobs, steps })}
          />
        )}
      </div>
      <Accuracy model={model} task={task} pairs={pairs} knobs={knobs} asTrained={same(trained, knobs)} />
    </div>
  );
}

function same(a: Knobs, b: Knobs): boolean {
  return Math.abs(a.decay - b.decay) < 1e-6 && Math.abs(a.rate - b.rate) < 1e-6 && a.steps === b.steps && a.memory === b.memory;
}

interface AccuracyProps extends Omit<Props, "onKnobs"> {
  asTrained: boolean;
}

function Accuracy({ model, task, pairs, knobs, asTrained }: AccuracyProps) {
  const [count, setCount] = useState<Count>({ asked: 0, right: 0, slots: [] });
  const [trained, setTrained] = useState<number[]>([]);
  const [current, setCurrent] = useState<number[]>([]);
  useEffect(() => inSlices(countRight(model, pairs, task.form, knobs), setCount), [model, pairs, task, knobs]);
  // The line of training is finished first, whatever is changed meanwhile.
  useEffect(() => inSlices(curve(model, task.form, model.trained), setTrained), [model, task]);
  const ready = trained.length === task.ceilings.length;
  useEffect(() => {
    setCurrent([]);
    return ready && !asTrained ? inSlices(curve(model, task.form, knobs), setCurrent) : undefined;
  }, [model, task, knobs, ready, asTrained]);
  const accuracy = count.asked ? count.right / count.asked : 0;
  const ceiling = task.ceilings[pairs - 1];
  const lines: Line[] = [
    { points: byCount(task.ceilings), kind: "ceiling" },
    { points: byCount(trained), kind: asTrained ? "line" : "before" },
    { points: byCount(asTrained ? [] : current), kind: "line" },
  ];
  const whole = count.asked === QUESTIONS;
  return (
    <div class="accuracy" data-accuracy={whole ? accuracy : undefined}>
      <p class="large">
        <strong>{whole ? percent(accuracy, 1) : `${percent(accuracy)} …`}</strong>
        <span>
          of {QUESTIONS.toLocaleString("en")} random questions of {pairs} {pairs === 1 ? "pair" : "pairs"} right
          {asTrained ? ", as trained" : ", with your settings"}
        </span>
      </p>
      <div class="gauge" aria-hidden="true">
        <span class="fill" style={{ "--share": accuracy }} />
        <span class="tick" style={{ "--share": 0.1 }} />
        <span class="tick" style={{ "--share": ceiling }} />
      </div>
      <p class="marks">
        <span>10 % by guessing</span>
        <span>
          {percent(ceiling)}: the ceiling of a network that binds nothing, which knows the digits but not whose they are
        </span>
      </p>
      <div class="charts">
        <figure>
          <figcaption>by the pair asked for, oldest first</figcaption>
          <div class="slots" style={{ "--count": pairs }}>
            {count.slots.map(([right, asked], slot) => (
              <span key={slot}>
                <span class="bar" style={{ "--share": asked ? right / asked : 0 }} />
                {pairs <= 12 && <small>{asked ? Math.round((100 * right) / asked) : ""}</small>}
              </span>
            ))}
          </div>
        </figure>
        <figure>
          <figcaption>by the number of pairs, % right</figcaption>
          <Chart
            label={`Accuracy by the number of pairs${trained.length ? `, as trained: ${percent(trained[0])} at 1, ${percent(trained.at(-1)!)} at ${trained.length}` : ""}`}
            most={task.ceilings.length}
            ticks={[1, 4, 8, 16, 26]}
            lines={lines}
            at={task.pairs}
          />
          <p class="note">
            It was trained on {task.pairs}.{" "}
            {asTrained ? "Dotted: the no-binding ceiling." : "Dashed: as trained. Dotted: the no-binding ceiling."}
          </p>
        </figure>
      </div>
    </div>
  );
}
