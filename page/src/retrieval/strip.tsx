/** The sequence, a column a symbol: what the current read took from it, the symbol, and the state it left. */

import { useEffect, useRef } from "preact/hooks";
import type { Reading } from "../models/fast_weight_rnn";
import { shares } from "../models/linear";
import { HeatMap, quantile } from "../parts/heat_map";
import type { Question } from "./question";

interface Props {
  question: Question;
  reading: Reading;
  step: number;
  onStep: (step: number) => void;
}

export function Strip({ question, reading, step, onStep }: Props) {
  const symbols = [...question.text];
  const count = symbols.length;
  const hidden = reading.states[0].length;
  const taken = shares(reading.weights[step].at(-1)!);
  const largest = Math.max(0.3, ...taken);
  const reads = reading.weights[step].length;
  const order = unitOrder(reading);
  const most = quantile(reading.states.flatMap((state) => [...state]), 0.995);
  const grid = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // A long sequence scrolls inside its own frame; the page itself stays where it is.
    const frame = grid.current!;
    const button = frame.querySelectorAll<HTMLElement>(".symbol")[step];
    const left = button.offsetLeft - frame.clientWidth / 2;
    if (frame.scrollWidth > frame.clientWidth) frame.scrollTo({ left });
  }, [step, count]);
  return (
    <div class="strip" ref={grid} style={{ "--count": count }} tabIndex={0} role="group" aria-label="the sequence, step by step">
      <p class="caption" style={{ "--row": 1 }}>
        what the {reads > 1 && `last of ${reads} reads`}
        {reads === 1 && "read"} at <b>{symbols[step]}</b> took from each earlier step, in %
      </p>
      <p class="caption" style={{ "--row": 2 }}>
        symbols read
      </p>
      <p class="caption" style={{ "--row": 3 }}>
        state <i>h</i>(<i>t</i>), {hidden} units
      </p>
      {symbols.map((_, t) => (
        <span key={`b${t}`} class={t < step ? "taken" : "taken later"} style={{ "--t": t, "--share": (taken[t] ?? 0) / largest }} aria-hidden="true">
          {t < step && <b>{taken[t] >= 0.1 ? Math.round(100 * taken[t]) : ""}</b>}
        </span>
      ))}
      {symbols.map((symbol, t) => (
        <button
          key={`s${t}`}
          type="button"
          class={t > step ? "symbol later" : "symbol"}
          style={{ "--t": t }}
          aria-current={t === step ? "step" : undefined}
          aria-label={`step ${t + 1}: ${symbol}${t < step ? `, ${Math.round(100 * taken[t])} % of the read` : ""}`}
          onClick={() => onStep(t)}
        >
          {symbol}
        </button>
      ))}
      <div class="states">
        <HeatMap
          label={`the hidden state at each of the ${count} steps`}
          rows={hidden}
          columns={count}
          value={(row, column) => reading.states[column][order[row]]}
          most={most}
        />
        <span class="veil" style={{ "--seen": (step + 1) / count }} />
      </div>
    </div>
  );
}

/** The units in the order of the step at which they are most active: what a step wrote lies together. */
export function unitOrder(reading: Reading): number[] {
  const { states } = reading;
  const peak = states[0].map((_, unit) => {
    let best = 0;
    for (let t = 1; t < states.length; t++) if (Math.abs(states[t][unit]) > Math.abs(states[best][unit])) best = t;
    return best;
  });
  return [...peak.keys()].sort((a, b) => peak[a] - peak[b] || a - b);
}
