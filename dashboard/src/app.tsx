import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Route, readRoute } from "./route.js";
import { DatasetScreen } from "./screens/dataset.js";
import { DatasetsScreen } from "./screens/datasets.js";
import { ModelsScreen } from "./screens/models.js";
import { NowScreen } from "./screens/now.js";
import { SampleScreen } from "./screens/sample.js";
import { TryScreen } from "./screens/try.js";
import { useSession } from "./session.js";
import { useTheme } from "./theme.js";

const SCREENS = [
  { name: "now", title: "Now" },
  { name: "models", title: "Models" },
  { name: "datasets", title: "Datasets" },
  { name: "try", title: "Try it" },
] as const;

/** The frame of all screens: navigation, theme, key, and the screen that the address names. */
export function App(): JSX.Element {
  const route = useRoute();
  const { hasKey, setKey } = useSession();
  const [theme, setTheme] = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  const main = useRef<HTMLElement>(null);
  const title = titleOf(route);
  const isFirst = useRef(true);

  // A new screen is read from its beginning: the title says where one is, and the focus is at the top.
  useEffect(() => {
    document.title = `${title} · Assay`;
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [title]);

  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href="#/now">
          Assay
        </a>
        <nav aria-label="Screens">
          {SCREENS.map(({ name, title }) => (
            <a key={name} href={`#/${name}`} aria-current={isUnder(route, name) ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <div class="tools">
          <a class="button quiet" href="docs/">
            API
          </a>
          {hasKey && (
            <button type="button" class="quiet" onClick={() => setKey("")}>
              Forget key
            </button>
          )}
          <button type="button" class="quiet" onClick={() => setTheme(other)}>
            {other === "dark" ? "Dark" : "Light"} theme
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Screen route={route} />
      </main>
    </>
  );
}

function Screen({ route }: { readonly route: Route }): JSX.Element {
  switch (route.screen) {
    case "now":
      return <NowScreen />;
    case "models":
      return <ModelsScreen />;
    case "datasets":
      return <DatasetsScreen />;
    case "try":
      return <TryScreen />;
    case "dataset":
      return <DatasetScreen key={route.dataset} dataset={route.dataset} query={route.view} />;
    case "sample":
      return <SampleScreen key={`${route.dataset}/${route.id}`} dataset={route.dataset} id={route.id} />;
    case "unknown":
      return (
        <section>
          <h1>No such screen</h1>
          <p>
            Nothing is at <code>{route.path}</code>. <a href="#/now">Go to the first screen</a>.
          </p>
        </section>
      );
  }
}

function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const change = (): void => setHash(location.hash);
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return readRoute(hash);
}

function isUnder({ screen }: Route, name: string): boolean {
  return screen === name || (name === "datasets" && (screen === "dataset" || screen === "sample"));
}

function titleOf(route: Route): string {
  if (route.screen === "dataset") return route.dataset;
  if (route.screen === "sample") return `${route.id} of ${route.dataset}`;
  return SCREENS.find(({ name }) => name === route.screen)?.title ?? "No such screen";
}
