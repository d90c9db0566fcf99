/** The memory at a step: as a matrix, and as attention to the earlier steps. */

import { useState } from "preact/hooks";
import type { FastWeightRNN, Knobs, Reading } from "../models/fast_weight_rnn";
import { dot, type Vector } from "../models/linear";
import { Segments } from "../parts/controls";
import { HeatMap, quantile } from "../parts/heat_map";
import type { Question } from "./question";
import { unitOrder } from "./strip";

interface Props {
  model: FastWeightRNN;
  question: Question;
  reading: Reading;
  step: number;
  knobs: Knobs;
  onStep: (step: number) => void;
}

export function Look(props: Props) {
  return (
    <div class="two">
      <Matrix {...props} />
      <Attention {...props} />
    </div>
  );
}

const PHASES = [
  ["read", "A is read"],
  ["written", "then written"],
] as const;

function Matrix({ model, question, reading, step, knobs }: Props) {
  const [phase, setPhase] = useState<"read" | "written">("read");
  const { states } = reading;
  const size = model.hidden;
  const order = unitOrder(reading);
  const writing = phase === "written";
  const memory = model.memory(states, writing ? step + 1 : step, knobs);
  const whole = model.memory(states, states.length, knobs);
  const asked = writing ? states[step] : reading.asking[step].at(-1)!;
  const back: Vector = writing ? asked : Float64Array.from({ length: size }, (_, row) => dot(memory.subarray(row * size, (row + 1) * size), asked));
  const symbol = question.text[step];
  const most = (values: Vector) => Math.max(...values.map(Math.abs));
  return (
    <div>
      <h3>As a matrix</h3>
      <Segments label="what the step does" options={PHASES} value={phase} onChange={setPhase} />
      <div class="matrix">
        <p class="above">
          {writing ? (
            <>
              the state at {symbol}, <i>h</i>(<i>t</i>)
            </>
          ) : (
            <>
              the state that asks at {symbol}, <i>h</i>
              <sub>{reading.asking[step].length - 1}</sub>
            </>
          )}
        </p>
        <HeatMap label="the state above the matrix" rows={1} columns={size} value={(_, column) => asked[order[column]]} most={most(asked)} class="top" />
        <HeatMap
          label={`the fast weight matrix A, ${size} by ${size}, ${writing ? "after" : "before"} step ${step + 1}`}
          rows={size}
          columns={size}
          value={(row, column) => memory[order[row] * size + order[column]]}
          most={quantile(whole, 0.995)}
          class="body"
        />
        <HeatMap label={writing ? "the same state beside the matrix" : "what A gives back"} rows={size} columns={1} value={(row) => back[order[row]]} most={most(back)} class="side" />
        <p class="along">{writing ? <i>h(t)</i> : <><i>A h</i> comes back</>}</p>
      </div>
      <p class="note">
        {writing ? (
          <>
            The state stands above and beside: each cell of <i>A</i> gains the product of its two, times η, after all of
            <i> A</i> has faded by λ.
          </>
        ) : (
          <>
            <i>A</i> as the steps before this one left it. What comes back on the right is added to the state. Units
            stand in the order in which they are most active; blue is above 0, orange below.
          </>
        )}
      </p>
    </div>
  );
}

function Attention({ question, reading, step, onStep }: Props) {
  const symbols = [...question.text];
  const count = symbols.length;
  const weight = (row: number, column: number) => reading.weights[row].at(-1)![column] ?? 0;
  const all = reading.weights.flatMap((reads) => [...reads.at(-1)!]);
  const most = Math.max(...all.map(Math.abs), 0);
  return (
    <div>
      <h3>The same as attention</h3>
      <p class="note first">No matrix is needed: a read is a sum over the earlier steps.</p>
      <div class="attention" style={{ "--count": count }} aria-hidden="true">
        <div class="columns">
          {symbols.map((symbol, t) => (
            <span key={t}>{symbol}</span>
          ))}
        </div>
        <div class="rows">
          {symbols.map((symbol, t) => (
            <span key={t} class={t === step ? "now" : ""}>
              {symbol}
            </span>
          ))}
        </div>
        <div
          class="body"
          onClick={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            onStep(Math.min(count - 1, Math.floor(((event.clientY - box.top) / box.height) * count)));
          }}
        >
          <HeatMap label="read weights" rows={count} columns={count} value={weight} most={most} />
          <span class="frame" style={{ "--t": step }} />
        </div>
      </div>
      <p class="note">
        Row: the symbol that reads. Column: the earlier step τ it takes from, with the weight η λ<sup>age</sup> ⟨
        <i>h</i>(τ), <i>h</i>
        <sub>s</sub>⟩: how alike the two states are, and how long ago it was. A click goes to that step.
      </p>
    </div>
  );
}
