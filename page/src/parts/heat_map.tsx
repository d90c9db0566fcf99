/** A matrix as a picture of one pixel a cell, which the browser scales without smoothing. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { useDark } from "../theme";

type Colour = [number, number, number];

/** From nothing to the largest number, then from nothing to the smallest: blue and orange, by theme. */
const SCALES: Record<"light" | "dark", { above: Colour[]; below: Colour[] }> = {
  light: {
    above: [[243, 242, 238], [186, 214, 235], [107, 171, 214], [31, 105, 168], [12, 38, 74]],
    below: [[243, 242, 238], [248, 205, 160], [213, 94, 0]],
  },
  dark: {
    above: [[28, 30, 36], [24, 58, 94], [31, 105, 168], [112, 184, 236], [232, 245, 255]],
    below: [[28, 30, 36], [122, 62, 16], [255, 158, 74]],
  },
};

function colour(scale: Colour[], share: number): Colour {
  const place = Math.min(share, 1) * (scale.length - 1);
  const lower = Math.min(Math.floor(place), scale.length - 2);
  const between = (part: number) => scale[lower][part] + (place - lower) * (scale[lower + 1][part] - scale[lower][part]);
  return [between(0), between(1), between(2)];
}

/** The colour of a cell, as CSS has it. */
export function cellColour(share: number, dark: boolean): string {
  const scale = SCALES[dark ? "dark" : "light"];
  return `rgb(${colour(share < 0 ? scale.below : scale.above, Math.abs(share)).map(Math.round).join(" ")})`;
}

interface Props {
  label: string;
  rows: number;
  columns: number;
  value: (row: number, column: number) => number;
  /** The number that has the darkest colour. */
  most: number;
  class?: string;
}

export function HeatMap({ label, rows, columns, value, most, class: name }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = useDark();
  useLayoutEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    const image = context.createImageData(columns, rows);
    const scale = SCALES[dark ? "dark" : "light"];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const share = most > 0 ? value(row, column) / most : 0;
        const [red, green, blue] = colour(share < 0 ? scale.below : scale.above, Math.abs(share));
        image.data.set([red, green, blue, 255], 4 * (row * columns + column));
      }
    }
    context.putImageData(image, 0, 0);
  });
  return <canvas ref={canvas} width={columns} height={rows} role="img" aria-label={label} class={`heat ${name ?? ""}`} />;
}

/** The number that a share of others stay below, of their magnitudes: a few large ones do not pale the rest. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values, Math.abs).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}
