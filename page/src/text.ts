/** How numbers and words are written on the page. */

const SPACE = "\u00a0"; // no line ends between a number and its sign

export const percent = (share: number, digits = 0): string => `${(100 * share).toFixed(digits)}${SPACE}%`;

/** A probability, which is never written as whole certainty. */
export function probability(value: number): string {
  if (value > 0.9999) return `>${SPACE}${percent(0.9999, 2)}`;
  return value < 0.0001 ? `<${SPACE}${percent(0.0001, 2)}` : percent(value, value > 0.999 || value < 0.01 ? 2 : 1);
}

/** The words nearest to another by their edit distance, the nearest first. */
export function nearest(word: string, known: readonly string[], count = 3): string[] {
  return known
    .map((other) => ({ other, distance: editDistance(word, other) / Math.max(word.length, other.length) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ other }) => other);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
