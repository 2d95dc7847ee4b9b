// Measures the event loop of a process that does nothing, until it is told to end; see load.ts.
import { monitorEventLoopDelay } from "node:perf_hooks";

// The resolution that prom-client measures with.
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.once("message", () => process.send(delay.percentile(99), () => process.disconnect()));
process.send("began");
