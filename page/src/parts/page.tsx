/** What all pages have: the head, and how they sit in the frame of another page. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Fact } from "../run";

interface Props {
  kind: string;
  title: string;
  lead: ComponentChildren;
  facts: Fact[];
  children: ComponentChildren;
}

export function Page({ kind, title, lead, facts, children }: Props) {
  useEffect(tellHeight, []);
  return (
    <main>
      <header>
        <p class="kind">fastweights · {kind}</p>
        <h1>{title}</h1>
        <p class="lead">{lead}</p>
        {facts.length > 0 && (
          <dl class="facts">
            {facts.map(({ label, value }) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </header>
      {children}
    </main>
  );
}

/** In a frame, posts the page's height to the page around it whenever it changes. */
function tellHeight(): (() => void) | undefined {
  if (parent === window) return undefined;
  document.documentElement.classList.add("framed");
  const observer = new ResizeObserver(() => {
    parent.postMessage({ fastweights: "height", height: document.documentElement.scrollHeight }, "*");
  });
  observer.observe(document.body);
  return () => observer.disconnect();
}
