/** The page's start: shows the run that it holds. */

import { render } from "preact";
import { CatBAbIView } from "./catbabi/view";
import { MemoryView } from "./memory/view";
import { RetrievalView } from "./retrieval/view";
import { readRun, type AnyPage } from "./run";
import "./style.css";
import { applyTheme } from "./theme";

function View({ run }: { run: AnyPage | null }) {
  switch (run?.page) {
    case "retrieval":
      return <RetrievalView run={run} />;
    case "catbabi":
      return <CatBAbIView run={run} />;
    case "memory":
      return <MemoryView />;
    default:
      return <p class="needs now">This page holds no run: the command “fastweights page RUN” writes one that does.</p>;
  }
}

// Colours by theme are the newest thing that the page needs; older browsers keep the line that says so.
if (CSS.supports("color", "light-dark(red, blue)")) {
  applyTheme();
  addEventListener("hashchange", applyTheme);
  const run = readRun();
  if (run) document.title = `${run.title} · fastweights`;
  const app = document.getElementById("app")!;
  app.replaceChildren();
  render(<View run={run} />, app);
}
