/** Facts to begin with. */

import type { Fact } from "../models/hand_memory";
import { below, generator } from "../random";

function facts(...lines: string[]): Fact[] {
  return lines.map((line) => {
    const [who, what, value] = line.split(" ");
    return { who, what, value };
  });
}

export const FOUR = facts("mary place kitchen", "mary thing milk", "john place garden", "john thing football");

export const CHANGE = facts("mary place kitchen", "john place garden", "mary place office");

export const NINE = facts(
  ...["mary place kitchen", "mary thing milk", "mary drink tea"],
  ...["john place garden", "john thing football", "john drink cocoa"],
  ...["sandra place office", "sandra thing apple", "sandra drink water"],
);

const PEOPLE = ["mary", "john", "sandra", "daniel", "fred", "bill", "julie", "jeff", "lily", "greg"];
export const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct"];

/** A digit for each of ten people in each of ten months, in random order. */
export const HUNDRED: Fact[] = (() => {
  const random = generator(1);
  const all = PEOPLE.flatMap((who) => MONTHS.map((what) => ({ who, what, value: String(below(random, 10)) })));
  for (let i = all.length - 1; i > 0; i--) {
    const j = below(random, i + 1);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
})();
