import { render } from "preact";
import { App } from "./app.js";
import { SessionProvider } from "./session.js";
import "uplot/dist/uPlot.min.css";
import "./style/frame.css";
import "./style/parts.css";

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no element #app");
render(
  <SessionProvider>
    <App />
  </SessionProvider>,
  root,
);
