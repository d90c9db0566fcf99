/** What the page computes, as the paper has it. */

import { Section } from "../parts/controls";
import type { CatBAbIPage } from "../run";

export function Equations({ run }: { run: CatBAbIPage }) {
  const { combine, clamp, reads, bounded } = run.model;
  const product = combine === "product";
  const key = (first: string, second: string, sup = "") => (
    <>
      {product ? "" : "["}
      <i>{first}</i>
      {sup && <sup>{sup}−1</sup>}
      {product ? " ⊗ " : "; "}
      <i>{second}</i>
      {sup && <sup>{sup}</sup>}
      {product ? "" : "]"}
    </>
  );
  return (
    <Section title="What is computed">
      <div class="equations">
        <p>
          <i>k</i>
          <sub>1</sub>, <i>k</i>
          <sub>2</sub>, <i>v</i> = tanh(<i>W h</i>), β = σ(<i>w h</i>), <i>k</i> = {product ? "" : "["}
          <i>k</i>
          <sub>1</sub>
          {product ? " ⊗ " : "; "}
          <i>k</i>
          <sub>2</sub>
          {product ? "" : "]"}
        </p>
        <p>
          <i>F</i> ← <i>F</i> + β (<i>v</i> −{" "}
          <mark>
            <i>F k</i>
          </mark>
          ) <i>k</i>
          <sup>⊤</sup>
          {clamp && (
            <>
              , <i>F</i> ← <i>F</i> / max(1, ‖<i>F</i>‖)
            </>
          )}
        </p>
        <p>
          <i>n</i>
          <sup>i</sup> = LN(<i>F</i> ({key("n", "e", "i")})), <i>i</i> = 1 … {reads}
        </p>
      </div>
      <p class="note">
        <i>h</i> is the state of an LSTM that reads the words, <i>n</i>
        <sup>0</sup> and <i>e</i>
        <sup>i</sup> are {bounded[0] && bounded[1] ? "bounded " : ""}projections of it at the question mark, ⊗ is the
        outer product. The marked term is what the memory already holds under that key: only the difference is written.
        Schlag, Munkhdalai &amp; Schmidhuber, “Learning Associative Inference Using Fast Weight Memory”, 2021, eq. 1 to
        8. Stories by the rules of bAbI (Weston et al. 2015); the sentences they follow from are found by a solver.
      </p>
    </Section>
  );
}
