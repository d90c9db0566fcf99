/** How many of a hundred facts still come back after more and more of them are written. */

import { useMemo } from "preact/hooks";
import { fill, type Combine, type Knobs } from "../models/hand_memory";
import { Chart } from "../parts/chart";
import { HUNDRED } from "./facts";

const EVERY = 5;

export function Capacity({ knobs }: { knobs: Knobs }) {
  const lines = useMemo(() => {
    // Passes cost as much again each, and change little beyond a few.
    const some = { ...knobs, passes: Math.min(knobs.passes, 5) };
    const line = (combine: Combine) =>
      Array.from({ length: HUNDRED.length / EVERY }, (_, i): [number, number] => {
        const count = (i + 1) * EVERY;
        return [count, fill(HUNDRED.slice(0, count), combine, some).right / count];
      });
    return { product: line("product"), joined: line("joined") };
  }, [knobs]);
  const last = (line: [number, number][]) => Math.round(100 * line.at(-1)![1]);
  return (
    <figure>
      <p class="large">
        <strong>{last(lines.product)}</strong>
        <span>of a hundred facts come back under product keys, {last(lines.joined)} under joined keys</span>
      </p>
      <figcaption>% that come back, by the number of facts written</figcaption>
      <Chart
        label={`Facts that come back of a hundred: ${last(lines.product)} under product keys, ${last(lines.joined)} under joined keys.`}
        most={HUNDRED.length}
        ticks={[5, 25, 50, 75, 100]}
        lines={[
          { points: lines.joined, kind: "ceiling" },
          { points: lines.product, kind: "line" },
        ]}
      />
      <p class="note">Line: product keys. Dots: joined keys. The hundred facts are those of the example above.</p>
    </figure>
  );
}
