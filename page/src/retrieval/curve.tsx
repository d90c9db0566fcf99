/** Accuracy against the number of pairs, as lines. */

interface Props {
  trained: number[];
  current: number[];
  ceilings: number[];
  /** The number of pairs in training. */
  at: number;
}

const WIDTH = 260;
const HEIGHT = 110;
const LEFT = 30;
const BOTTOM = 18;

export function Curve({ trained, current, ceilings, at }: Props) {
  const most = ceilings.length;
  const x = (pairs: number) => LEFT + ((pairs - 1) / (most - 1)) * (WIDTH - LEFT - 8);
  const y = (share: number) => 6 + (1 - share) * (HEIGHT - BOTTOM - 6);
  const line = (values: number[]) => values.map((value, i) => `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const changed = current.length > 0;
  const end = trained.at(-1);
  const label = end === undefined ? "" : `Accuracy by the number of pairs: as trained ${Math.round(100 * trained[0])} % at 1, ${Math.round(100 * end)} % at ${trained.length}.`;
  return (
    <svg class="curve" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <line class="grid" x1={LEFT} x2={WIDTH - 8} y1={y(share)} y2={y(share)} />
          <text x={LEFT - 6} y={y(share) + 4} text-anchor="end">
            {100 * share}
          </text>
        </g>
      ))}
      {[1, at, 8, 16, most].filter((pairs, i, all) => all.every((other, j) => j === i || Math.abs(other - pairs) > 2 || i < j)).map((pairs) => (
        <text key={pairs} x={x(pairs)} y={HEIGHT - 3} text-anchor="middle">
          {pairs}
        </text>
      ))}
      <line class="trained-at" x1={x(at)} x2={x(at)} y1={y(1)} y2={y(0)} />
      <polyline class="ceiling" points={line(ceilings)} />
      <polyline class={changed ? "line before" : "line"} points={line(trained)} />
      {changed && <polyline class="line" points={line(current)} />}
    </svg>
  );
}
