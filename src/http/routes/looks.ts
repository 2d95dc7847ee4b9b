import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Looks } from "../../jobs/port.js";
import type { Rankers } from "../../ranker/port.js";
import { staleness } from "../../scoring/datasets/remembered.js";
import { callerOf, timeoutHeadersSchema } from "../plugins/caller.js";
import { renderSample, renderTime } from "../render.js";
import { datasetParamsSchema } from "../schemas/dataset.js";
import {
  cursorOf,
  filterOf,
  histogramListSchema,
  histogramQuerySchema,
  rankedPageSchema,
  rankedQuerySchema,
  renderCursor,
  sortOf,
} from "../schemas/look.js";
import { problems, STORE_PROBLEMS } from "../schemas/problem.js";

/** Whole datasets sorted and counted. */
export function lookRoutes({
  rankers,
  looks,
}: {
  readonly rankers: Rankers;
  readonly looks: Looks;
}): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/datasets/:dataset/samples",
      {
        schema: {
          operationId: "rankSamples",
          summary: "List samples by a signal",
          description:
            "A page of the dataset's samples in the order of a signal, an extra or the weight. The order is that of an index, which is at most a minute behind; `built_at` says when it was made. What a sample has is read anew.",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          querystring: rankedQuerySchema,
          response: {
            200: rankedPageSchema,
            ...problems("dataset_not_found", "unsuitable_signal", "overloaded", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const { query } = request;
        const { signal } = callerOf(request, reply);
        const found = await looks.at(
          "rank",
          { dataset, ...sortOf(query), filter: filterOf(query), limit: query.limit, after: cursorOf(query) },
          signal,
        );
        const isStale = staleness(rankers);
        return {
          dataset,
          built_at: renderTime(found.builtAtMs),
          samples: found.samples.map((each) => renderSample({ ...each, stale: isStale(each.record) })),
          next_cursor: found.next === null ? null : renderCursor(found.next),
        };
      },
    );

    app.get(
      "/v1/datasets/:dataset/histograms",
      {
        schema: {
          operationId: "countSamples",
          summary: "Count samples by the values of signals",
          description:
            "A histogram for each column: a signal, `extras.NAME` or `weight`. With `map=true`, also the counts of the pairs of the first two columns. The counts are of an index, which is at most a minute behind.",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          querystring: histogramQuerySchema,
          response: {
            200: histogramListSchema,
            ...problems("dataset_not_found", "unsuitable_signal", "overloaded", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const { query } = request;
        const { signal } = callerOf(request, reply);
        const { column: columns, bins, scale, map } = query;
        const found = await looks.at(
          "count",
          { dataset, columns, bins, scale, map: map === "true", filter: filterOf(query) },
          signal,
        );
        return {
          dataset,
          built_at: renderTime(found.builtAtMs),
          histograms: found.histograms.map(({ edges, counts, quantiles, ...each }) => ({
            ...each,
            edges: [...edges],
            counts: [...counts],
            quantiles: { ...quantiles },
          })),
          map: found.map?.map((row) => [...row]) ?? null,
        };
      },
    );
  };
}
