import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { isStoreFailure } from "../../errors.js";
import type { Metrics } from "../../observe/metrics.js";
import type { Rankers } from "../../ranker/port.js";
import type { Ports } from "../../scoring/ports.js";
import type { Store } from "../../store/port.js";
import { withoutPlaces } from "../places.js";
import { aliveSchema, type partSchema, readinessSchema } from "../schemas/health.js";
import { openProblems, problems } from "../schemas/problem.js";

export function healthRoutes(
  { rankers, store }: Ports,
  { registry }: Pick<Metrics, "registry">,
): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/healthz",
      {
        schema: {
          operationId: "alive",
          summary: "Check that the process answers",
          tags: ["operation"],
          security: [],
          response: {
            200: aliveSchema,
            ...openProblems(),
          },
        },
      },
      async () => ({ status: "alive" as const }),
    );
    app.get(
      "/readyz",
      {
        schema: {
          operationId: "ready",
          summary: "Check that the default model is loaded and the store answers",
          tags: ["operation"],
          security: [],
          response: { 200: readinessSchema, 503: readinessSchema, ...openProblems() },
        },
      },
      async (_request, reply) => {
        const model = readinessOfModel(rankers);
        const storePart = await readinessOfStore(store);
        const ready = model.ready && storePart.ready;
        return reply.code(ready ? 200 : 503).send({ ready, model, store: storePart });
      },
    );
    app.get(
      "/metrics",
      {
        schema: {
          operationId: "metrics",
          summary: "Read the metrics in the Prometheus text format",
          tags: ["operation"],
          response: { 200: z.string().describe("Prometheus text format"), ...problems() },
        },
      },
      async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
    );
  };
}

function readinessOfModel(rankers: Rankers): z.infer<typeof partSchema> {
  if (rankers.defaultName === null) return { ready: true, detail: "there is no default model to load" };
  const ranker = rankers.get(rankers.defaultName);
  const state = ranker.state();
  if (state.status === "ready")
    return { ready: true, detail: `${ranker.model.name}@${ranker.model.version} is loaded` };
  return { ready: false, detail: withoutPlaces(state.reason) };
}

async function readinessOfStore(store: Store): Promise<z.infer<typeof partSchema>> {
  try {
    const { kind, durability } = await store.status();
    return { ready: true, detail: `${kind}: ${durability}` };
  } catch (error) {
    if (!isStoreFailure(error)) throw error;
    return { ready: false, detail: withoutPlaces(error.message) };
  }
}
