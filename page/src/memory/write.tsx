/** The facts so far, each a button that goes back to its moment, and a new one to write. */

import { useState } from "preact/hooks";
import type { Fact } from "../models/hand_memory";

interface Props {
  facts: Fact[];
  count: number;
  onCount: (count: number) => void;
  onFact: (fact: Fact) => void;
}

const FIELDS = ["who", "what", "value"] as const;
const MOST = 200;

export function Write({ facts, count, onCount, onFact }: Props) {
  const [draft, setDraft] = useState<Fact>({ who: "sandra", what: "place", value: "office" });
  const [error, setError] = useState<string | null>(null);
  const write = () => {
    const fact = { who: draft.who.trim().toLowerCase(), what: draft.what.trim().toLowerCase(), value: draft.value.trim().toLowerCase() };
    const empty = FIELDS.find((field) => !fact[field]);
    setError(empty ? `A word is missing: ${empty}.` : count >= MOST ? `${MOST} facts are the most that are shown here.` : null);
    if (!empty && count < MOST) onFact(fact);
  };
  return (
    <>
      <form
        class="write"
        onSubmit={(event) => {
          event.preventDefault();
          write();
        }}
      >
        {FIELDS.map((field) => (
          <label key={field}>
            {field}
            <input value={draft[field]} maxLength={24} autocapitalize="none" spellcheck={false} onInput={(event) => setDraft({ ...draft, [field]: event.currentTarget.value })} />
          </label>
        ))}
        <button type="submit" class="primary">
          Write
        </button>
        <p class={error ? "hint error" : "hint"} role="status">
          {error ?? (facts.length ? "Each fact below is a button: the memory as it was when that fact had just been written." : "Nothing is written yet.")}
        </p>
      </form>
      <ol class={facts.length > 20 ? "facts-written many" : "facts-written"} aria-label="facts in the order of writing" tabIndex={facts.length > 20 ? 0 : undefined}>
        {facts.map((fact, i) => (
          <li key={i}>
            <button type="button" class={i >= count ? "later" : ""} aria-current={i === count - 1 ? "step" : undefined} onClick={() => onCount(i + 1)}>
              {fact.who} · {fact.what} → <b>{fact.value}</b>
            </button>
          </li>
        ))}
      </ol>
    </>
  );
}
