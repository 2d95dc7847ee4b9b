import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Metrics } from "../../observe/metrics.js";
import { type Stopwatch, startStopwatch } from "../../observe/stopwatch.js";

const stopwatches = new WeakMap<FastifyRequest, Stopwatch>();

/** The stopwatch of the request. It has been running since the request's head was read. */
export function stopwatchOf(request: FastifyRequest): Stopwatch {
  const known = stopwatches.get(request);
  if (known !== undefined) return known;
  const stopwatch = startStopwatch();
  stopwatches.set(request, stopwatch);
  return stopwatch;
}

/**
 * Reports how long each stage of an answer took, in a Server-Timing header (W3C) and in the metrics; `total` is their sum.
 * Register this first, so that its clock starts first.
 */
export function timeStages(app: FastifyInstance, { stageSeconds }: Pick<Metrics, "stageSeconds">): void {
  app.addHook("onRequest", (request, _reply, done) => {
    stopwatchOf(request);
    done();
  });
  app.addHook("preHandler", (request, _reply, done) => {
    stopwatchOf(request).lap("validate");
    done();
  });
  app.addHook("preSerialization", (request, _reply, _payload, done) => {
    lapHandler(request);
    done();
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    const stopwatch = stopwatchOf(request);
    stopwatch.lap("serialise");
    reply.header("server-timing", serverTiming(stopwatch));
    done(null, payload);
  });
  app.addHook("onResponse", (request, _reply, done) => {
    const stopwatch = stopwatchOf(request);
    stopwatch.lap("send");
    const route = request.routeOptions.url ?? "unknown";
    for (const [stage, durationMs] of stopwatch.durationsMs)
      stageSeconds.observe({ route, stage }, durationMs / 1000);
    done();
  });
}

/** Counts the handler's time as one stage, unless the handler timed the stages of its work itself, up to `serialise`. */
function lapHandler(request: FastifyRequest): void {
  const stopwatch = stopwatchOf(request);
  if (!stopwatch.durationsMs.has("serialise")) stopwatch.lap("handle");
}

function serverTiming({ durationsMs }: Stopwatch): string {
  let totalMs = 0;
  let stages = "";
  for (const [stage, durationMs] of durationsMs) {
    totalMs += durationMs;
    stages += `${stage};dur=${durationMs.toFixed(2)}, `;
  }
  return `${stages}total;dur=${totalMs.toFixed(2)}`;
}
