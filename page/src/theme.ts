/** Light or dark: the system's, or what the address asks for (#theme=dark). */

import { useEffect, useState } from "preact/hooks";

const system = matchMedia("(prefers-color-scheme: dark)");

/** The parts of the address behind #: theme, and q, what is asked at first. */
export function fromAddress(name: "theme" | "q"): string | null {
  return new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B")).get(name);
}

function isDark(): boolean {
  const asked = fromAddress("theme");
  return asked === "dark" || (asked !== "light" && system.matches);
}

/** Sets the theme that the address asks for; without one the system's holds. */
export function applyTheme(): void {
  const asked = fromAddress("theme");
  document.documentElement.style.colorScheme = asked === "dark" || asked === "light" ? asked : "light dark";
}

/** Whether it is dark now; the picture is drawn anew when that changes. */
export function useDark(): boolean {
  const [dark, setDark] = useState(isDark);
  useEffect(() => {
    const update = () => setDark(isDark());
    system.addEventListener("change", update);
    addEventListener("hashchange", update);
    return () => {
      system.removeEventListener("change", update);
      removeEventListener("hashchange", update);
    };
  }, []);
  return dark;
}
