/** What the page computes, as the paper has it. */

import { Section } from "../parts/controls";
import type { RetrievalPage } from "../run";

export function Equations({ model }: { model: RetrievalPage["model"] }) {
  const flat = model.form === "flat";
  return (
    <Section title="What is computed">
      <div class="equations">
        {flat ? (
          <p>
            <i>h</i>(<i>t</i>) = <i>f</i>(LN[<i>W h</i>(<i>t</i>−1) + <i>C x</i>(<i>t</i>) + <i>b</i> +{" "}
            <mark>
              <i>A</i>(<i>t</i>−1) <i>h</i>(<i>t</i>−1)
            </mark>
            ])
          </p>
        ) : (
          <>
            <p>
              <i>h</i>
              <sub>0</sub> = <i>f</i>(<i>W h</i>(<i>t</i>−1) + <i>C x</i>(<i>t</i>) + <i>b</i>)
            </p>
            <p>
              <i>h</i>
              <sub>s+1</sub> = <i>f</i>(LN[<i>W h</i>(<i>t</i>−1) + <i>C x</i>(<i>t</i>) + <i>b</i> +{" "}
              <mark>
                <i>A</i>(<i>t</i>−1) <i>h</i>
                <sub>s</sub>
              </mark>
              ]), <i>s</i> = 0 … <i>S</i>−1
            </p>
          </>
        )}
        <p>
          <i>A</i>(<i>t</i>) = λ <i>A</i>(<i>t</i>−1) + η <i>h</i>(<i>t</i>) <i>h</i>(<i>t</i>)<sup>⊤</sup>, so{" "}
          <mark>
            <i>A</i>(<i>t</i>−1) <i>h</i>
            <sub>s</sub>
          </mark>{" "}
          = Σ<sub>τ&lt;t</sub> η λ<sup>t−1−τ</sup> ⟨<i>h</i>(τ), <i>h</i>
          <sub>s</sub>⟩ <i>h</i>(τ)
        </p>
      </div>
      <p class="note">
        <i>x</i>(<i>t</i>) is the symbol, <i>h</i> the state, <i>W</i>, <i>C</i> and <i>b</i> the slow weights, <i>f</i>{" "}
        {model.nonlinearity === "relu" ? "the rectifier max(0, x)" : "the hyperbolic tangent"}, LN layer normalisation.
        The last line is why the two views above are one: reading a matrix that is a sum of outer products is attending
        to the states that it was made of. Ba, Hinton, Mnih, Leibo &amp; Ionescu, “Using Fast Weights to Attend to the
        Recent Past”, 2016, eq. 1, 2 and 4.
      </p>
    </Section>
  );
}
