/** The page of a memory that is written by hand: no run, nothing trained. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { fill, type Combine, type Fact, type Knobs } from "../models/hand_memory";
import { Presets, Section, Segments, Slider } from "../parts/controls";
import { Page } from "../parts/page";
import { CHANGE, FOUR, HUNDRED, NINE } from "./facts";
import { Capacity } from "./capacity";
import { Side } from "./side";
import { Write } from "./write";

type Preset = "four" | "hebb" | "replace" | "nine" | "hundred" | "empty";

const TRUE: Knobs = { rule: "delta", strength: 1, passes: 1, dimensions: null };

const SETTINGS: Record<Preset, { name: string; facts: Fact[]; knobs: Knobs; see: string }> = {
  four: {
    name: "four facts", facts: FOUR, knobs: TRUE,
    see: "Two people, a place and a thing each. Under product keys all four come back; under joined keys the facts that share a part disturb each other.",
  },
  hebb: {
    name: "Hebb: a change of mind", facts: CHANGE, knobs: { ...TRUE, rule: "sum" },
    see: "Mary is in the kitchen, then in the office. Hebb’s rule adds whatever comes, so both places lie under one key and neither is the answer.",
  },
  replace: {
    name: "the delta rule replaces", facts: CHANGE, knobs: TRUE,
    see: "The same three facts. The delta rule first looks up what stands under the key and writes only the difference: the office replaces the kitchen.",
  },
  nine: {
    name: "nine facts", facts: NINE, knobs: TRUE,
    see: "Three people, three facts each: joined keys have six dimensions for nine facts, product keys have nine.",
  },
  hundred: {
    name: "a hundred facts", facts: HUNDRED, knobs: TRUE,
    see: "A digit for each of ten people in each of ten months. Product keys give every pair of words a direction of its own, a hundred in all; joined keys have twenty for the hundred.",
  },
  empty: { name: "start empty", facts: [], knobs: TRUE, see: "Write a fact: who, what, and the value to be remembered." },
};

export function MemoryView() {
  const [preset, setPreset] = useState<Preset | null>("four");
  const [facts, setFacts] = useState<Fact[]>(FOUR);
  const [count, setCount] = useState(FOUR.length);
  const [knobs, setKnobs] = useState<Knobs>(TRUE);
  const told = useMemo(() => facts.slice(0, count), [facts, count]);
  const product = useMemo(() => fill(told, "product", knobs), [told, knobs]);
  const joined = useMemo(() => fill(told, "joined", knobs), [told, knobs]);
  const choose = (name: Preset) => {
    setPreset(name);
    setFacts(SETTINGS[name].facts);
    setCount(SETTINGS[name].facts.length);
    setKnobs(SETTINGS[name].knobs);
  };
  const change = (next: Knobs) => {
    setPreset(null);
    setKnobs(next);
  };
  useEffect(() => {
    window.fastweights = {
      fill: (given: Fact[], combine: Combine, some: Partial<Knobs>) => {
        const { F, rows, columns, right } = fill(given, combine, { ...TRUE, ...some });
        return { F: [...F], rows, columns, right };
      },
    };
  }, []);
  return (
    <Page
      kind="nothing is trained here"
      title="Two keys, one memory"
      lead={
        <>
          A fast weight memory stores a <em>value</em> under a <em>key</em> by adding one outer product to a matrix. Give
          it facts whose keys have two parts, <i>who</i> and <i>what</i>, and see how the rule of writing and the way in
          which the parts are put together decide whether facts disturb each other.
        </>
      }
      facts={[]}
    >
      <Section number={1} title="Write facts">
        <Presets
          label="facts to begin with"
          options={(Object.keys(SETTINGS) as Preset[]).map((key) => [key, SETTINGS[key].name] as const)}
          value={preset}
          onChange={choose}
        />
        <p class="see" role="status">{preset ? SETTINGS[preset].see : "Your own facts and settings."}</p>
        <Write
          facts={facts}
          count={count}
          onCount={setCount}
          onFact={(fact) => {
            setPreset(null);
            setFacts([...told, fact]);
            setCount(count + 1);
          }}
        />
      </Section>
      <Section
        number={2}
        title="Ask for each of them"
        lead="The key of each fact is put to the memory, and what comes back is compared with every value that was written."
      >
        <div class="two">
          <Side combine="product" facts={told} filled={product} asWords={knobs.dimensions === null} />
          <Side combine="joined" facts={told} filled={joined} asWords={knobs.dimensions === null} />
        </div>
        <Why facts={told} knobs={knobs} />
      </Section>
      <Section
        number={3}
        title="Turn the knobs"
        lead="How the facts above are written, and how many of a hundred facts would still be known after each."
      >
        <div class="two">
          <div>
            <h3>the rule of writing</h3>
            <Segments
              label="the rule of writing"
              options={[["delta", "delta rule"], ["sum", "Hebb’s rule"]] as const}
              value={knobs.rule}
              onChange={(rule) => change({ ...knobs, rule })}
            />
            <p class="note">
              {knobs.rule === "delta" ? "It writes the difference to what the memory holds under the key." : "It adds the value, whatever is there."}
            </p>
            <h3 class="next">words as directions</h3>
            <Segments
              label="words as directions"
              options={[["right", "at right angles"], ["random", "random directions"]] as const}
              value={knobs.dimensions === null ? "right" : "random"}
              onChange={(kind) => change({ ...knobs, dimensions: kind === "right" ? null : 8 })}
            />
            <div class="next">
              {knobs.dimensions !== null && (
                <Slider
                  symbol="d" name="dimensions of a word" least={2} most={32} step={1} value={knobs.dimensions}
                  help="Random directions are never quite at right angles; the more dimensions, the nearer they are."
                  onChange={(dimensions) => change({ ...knobs, dimensions })}
                />
              )}
              <Slider
                symbol="β" name="write strength" least={0} most={1} step={0.05} value={knobs.strength} trained={1}
                help="1 writes the whole value; less moves the memory a part of the way."
                onChange={(strength) => change({ ...knobs, strength })}
              />
              <Slider
                symbol="P" name="passes" least={1} most={20} step={1} value={knobs.passes} trained={1}
                help="How often the list is written. The delta rule comes nearer each time, where there is a solution."
                onChange={(passes) => change({ ...knobs, passes })}
              />
            </div>
          </div>
          <Capacity knobs={knobs} />
        </div>
      </Section>
      <Section title="What is computed">
        <div class="equations">
          <p>
            <i>F</i> ← <i>F</i> + β (<i>v</i>
            {knobs.rule === "delta" && (
              <>
                {" "}−{" "}
                <mark>
                  <i>F k</i>
                </mark>
              </>
            )}
            ) <i>k</i>
            <sup>⊤</sup> / ‖<i>k</i>‖²
          </p>
          <p>
            <i>k</i> = <i>k</i>
            <sub>1</sub> ⊗ <i>k</i>
            <sub>2</sub> or [<i>k</i>
            <sub>1</sub>; <i>k</i>
            <sub>2</sub>], and <i>F k</i> comes back
          </p>
        </div>
        <p class="note">
          {knobs.rule === "delta"
            ? "The marked term is what the memory holds under the key: without it, which is Hebb’s rule, a second value under the same key lies on top of the first."
            : "Hebb’s rule adds the value to whatever is there. The delta rule subtracts first what the memory holds under the key."}{" "}
          The paper bounds its keys by tanh and divides by no norm; here the division makes β = 1 write a value whole.
          Schlag, Munkhdalai &amp; Schmidhuber, “Learning Associative Inference Using Fast Weight Memory”, 2021, eq. 3 and
          appendix A.
        </p>
      </Section>
    </Page>
  );
}

/** Why joined keys fail: four of them that lie in three directions. */
function Why({ facts, knobs }: { facts: Fact[]; knobs: Knobs }) {
  const has = (who: string, what: string) => facts.some((fact) => fact.who === who && fact.what === what);
  for (const { who: a, what: x } of facts) {
    for (const { who: b, what: y } of facts) {
      if (a !== b && x !== y && has(a, y) && has(b, x)) {
        return (
          <aside>
            <b>Why joined keys fail:</b> [{a}; {x}] + [{b}; {y}] = [{a}; {y}] + [{b}; {x}]. Those are four keys in only
            three directions, so four values cannot be chosen freely, whatever rule writes them. The four products are
            four different directions
            {knobs.dimensions === null ? " at right angles: what is written along one is not seen along another." : ": the more dimensions, the less one is seen along another."}
          </aside>
        );
      }
    }
  }
  return null;
}
