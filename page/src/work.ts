/** Long work in slices, so that the page answers while it runs; a later start drops an earlier one. */

const SLICE = 12;
const DELAY = 60;

/** Runs a generator a slice of milliseconds at a time, and returns what stops it. `onSlice` hears of every yield's last value. */
export function inSlices<T>(work: Generator<T, void>, onSlice: (value: T) => void): () => void {
  let timer = setTimeout(slice, DELAY);
  function slice(): void {
    const end = performance.now() + SLICE;
    let last: T | undefined;
    do {
      const step = work.next();
      if (step.done) {
        if (last !== undefined) onSlice(last);
        return;
      }
      last = step.value;
    } while (performance.now() < end);
    onSlice(last as T);
    timer = setTimeout(slice, 0);
  }
  return () => clearTimeout(timer);
}
