import type { CatBAbIPage } from "../run";
export function CatBAbIView({ run }: { run: CatBAbIPage }) {
  return <p>{run.title}</p>;
}
