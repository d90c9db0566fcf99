/** Shares from 0 to 100 % against a number, as lines. */

export interface Line {
  /** Pairs of a number and a share. */
  points: readonly (readonly [number, number])[];
  kind: "line" | "before" | "ceiling";
}

interface Props {
  label: string;
  most: number;
  ticks: number[];
  lines: Line[];
  /** A number to mark. */
  at?: number;
}

const WIDTH = 260;
const HEIGHT = 110;
const LEFT = 30;
const BOTTOM = 18;

export function Chart({ label, most, ticks, lines, at }: Props) {
  const x = (value: number) => LEFT + ((value - 1) / (most - 1)) * (WIDTH - LEFT - 8);
  const y = (share: number) => 6 + (1 - share) * (HEIGHT - BOTTOM - 6);
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <line class="grid" x1={LEFT} x2={WIDTH - 8} y1={y(share)} y2={y(share)} />
          <text x={LEFT - 6} y={y(share) + 4} text-anchor="end">
            {100 * share}
          </text>
        </g>
      ))}
      {ticks.map((tick) => (
        <text key={tick} x={x(tick)} y={HEIGHT - 3} text-anchor="middle">
          {tick}
        </text>
      ))}
      {at !== undefined && <line class="at" x1={x(at)} x2={x(at)} y1={y(1)} y2={y(0)} />}
      {lines.map(({ points, kind }, i) => (
        <polyline key={i} class={kind} points={points.map(([value, share]) => `${x(value).toFixed(1)},${y(share).toFixed(1)}`).join(" ")} />
      ))}
    </svg>
  );
}

/** Shares of 1, 2, 3 … as points. */
export const byCount = (shares: number[]): [number, number][] => shares.map((share, i) => [i + 1, share]);
