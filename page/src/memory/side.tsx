/** The facts as they come back under one kind of key, and F itself. */

import { distinct, type Combine, type Fact, type Filled, type Found } from "../models/hand_memory";
import { cellColour, HeatMap, quantile } from "../parts/heat_map";
import { useDark } from "../theme";
import { MONTHS } from "./facts";

interface Props {
  combine: Combine;
  facts: Fact[];
  filled: Filled;
  /** Whether rows and columns of F are words. */
  asWords: boolean;
}

const FEW = 12;

export function Side({ combine, facts, filled, asWords }: Props) {
  const { found, right } = filled;
  const product = combine === "product";
  const all = right === found.length;
  return (
    <div class={product ? "side-product" : "side-joined"} data-right={right}>
      <h3>
        {product ? "Keys as a product" : "Keys joined end to end"}{" "}
        <span class="formula">
          <i>k</i> = {product ? "" : "["}
          <i>k</i>
          <sub>1</sub>
          {product ? " ⊗ " : "; "}
          <i>k</i>
          <sub>2</sub>
          {product ? "" : "]"}
        </span>
      </h3>
      {found.length === 0 ? (
        <p class="note">Nothing is written yet.</p>
      ) : (
        <>
          <p class="tally" role="status">
            <b class={all ? "right" : "wrong"}>
              {right} of {found.length}
            </b>{" "}
            come back
          </p>
          {found.length > FEW ? <Grid found={found} /> : <Rows found={found} values={distinct(facts.map((fact) => fact.value))} />}
          <Matrix combine={combine} facts={facts} filled={filled} asWords={asWords} />
        </>
      )}
    </div>
  );
}

function verdict({ fact, best }: Found): string {
  if (best === fact.value) return `✓ ${best}`;
  return best === null ? "✗ a tie" : `✗ ${best}`;
}

function Rows({ found, values }: { found: Found[]; values: string[] }) {
  const most = Math.max(1, ...found.flatMap(({ scores }) => scores));
  return (
    <ul class="found">
      {found.map((each) => (
        <li key={`${each.fact.who} ${each.fact.what}`}>
          <span>
            {each.fact.who} · {each.fact.what}
          </span>
          <span class="spark" role="img" aria-label={each.scores.map((score, i) => `${values[i]} ${score.toFixed(2)}`).join(", ")}>
            {each.scores.map((score, i) => (
              <span key={i} class={values[i] === each.fact.value ? "truth" : ""} style={{ "--share": Math.max(0, score) / most }} />
            ))}
          </span>
          <b class={each.best === each.fact.value ? "right" : "wrong"}>{verdict(each)}</b>
        </li>
      ))}
    </ul>
  );
}

/** Many facts: a row for each who, a column for each what, in a cell what comes back. */
function Grid({ found }: { found: Found[] }) {
  const people = distinct(found.map(({ fact }) => fact.who)).sort();
  const kinds = distinct(found.map(({ fact }) => fact.what)).sort((a, b) => MONTHS.indexOf(a) - MONTHS.indexOf(b));
  return (
    <div class="wide" tabIndex={0} role="group" aria-label="what comes back for each who and what">
      <table class="grid-found">
        <thead>
          <tr>
            <td />
            {kinds.map((kind) => (
              <th key={kind} scope="col">
                {kind}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {people.map((who) => (
            <tr key={who}>
              <th scope="row">{who}</th>
              {kinds.map((kind) => {
                const each = found.find(({ fact }) => fact.who === who && fact.what === kind);
                if (!each) return <td key={kind} />;
                const right = each.best === each.fact.value;
                return (
                  <td key={kind} class={right ? "right" : "wrong"} title={`${who} · ${kind}: ${each.best ?? "a tie"}, written ${each.fact.value}`}>
                    {right ? each.best : `✗${each.best ?? ""}`}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Matrix({ combine, facts, filled, asWords }: Props) {
  const dark = useDark();
  const { F, rows, columns } = filled;
  const numbers = `${rows} × ${columns} = ${(rows * columns).toLocaleString("en")} numbers`;
  if (!asWords || rows > 9 || columns > 9) {
    return (
      <figure class="F">
        <HeatMap label={`the memory F, ${numbers}`} rows={columns} columns={rows} value={(row, column) => F[column * columns + row]} most={quantile(F, 0.995)} />
        <figcaption>
          Bars or cells: what comes back. Above: <i>F</i>, {numbers}; a column for each dimension of the key. Blue above 0, orange
          below.
        </figcaption>
      </figure>
    );
  }
  const who = distinct(facts.map((fact) => fact.who));
  const what = distinct(facts.map((fact) => fact.what));
  const names = combine === "product" ? who.flatMap((a) => what.map((b) => `${a} · ${b}`)) : [...who, ...what];
  const values = distinct(facts.map((fact) => fact.value));
  const shown = (value: number) => (Math.abs(value) < 0.005 ? "" : value.toFixed(2).replace("-", "−").replace(/(^|−)0\./, "$1."));
  return (
    <div class="wide" tabIndex={0} role="group" aria-label={`the memory F, ${numbers}`}>
      <table class="numbers">
        <thead>
          <tr>
            <td />
            {values.map((value) => (
              <th key={value} scope="col">
                {value}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name, row) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {values.map((value, column) => {
                const cell = F[row * columns + column];
                const share = Math.max(-0.42, Math.min(0.42, cell / 2.4));
                return (
                  <td key={value} style={{ backgroundColor: cellColour(share, dark) }}>
                    {shown(cell)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">
        Bars: how much of each value comes back, the right one in blue. Below them: <i>F</i>, {numbers}.
      </p>
    </div>
  );
}
