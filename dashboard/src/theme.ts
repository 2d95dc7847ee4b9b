import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const NAME = "assay.theme";

/** The theme: what the reader chose, or else what the system prefers. The choice stays in this browser. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [chosen, choose] = useState<Theme | null>(readChoice);
  const preferred = usePreferred();
  const theme = chosen ?? preferred;
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return [
    theme,
    (next) => {
      localStorage.setItem(NAME, next);
      choose(next);
    },
  ];
}

function usePreferred(): Theme {
  const [query] = useState(() => matchMedia("(prefers-color-scheme: dark)"));
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = (): void => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, [query]);
  return isDark ? "dark" : "light";
}

function readChoice(): Theme | null {
  const kept = localStorage.getItem(NAME);
  return kept === "light" || kept === "dark" ? kept : null;
}
