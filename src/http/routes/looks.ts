import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Looks } from "../../jobs/port.js";
import { readSamples } from "../../scoring/datasets/remembered.js";
import type { Ports } from "../../scoring/ports.js";
import { callerOf, portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
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
  sliceListSchema,
  sliceQuerySchema,
  sortOf,
} from "../schemas/look.js";
import { problems, STORE_PROBLEMS } from "../schemas/problem.js";

/** Whole datasets sorted and counted. */
export function lookRoutes({ looks, ...ports }: Ports & { readonly looks: Looks }): FastifyPluginAsyncZod {
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
        const { dataset: summary, samples } = await readSamples(
          portsUntil(ports, request, reply),
          dataset,
          found.ids,
          "kept",
        );
        return {
          dataset,
          hashed_ids: summary.hashedIds,
          built_at: renderTime(found.builtAtMs),
          samples: samples.map(renderSample),
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
          columns: [...found.columns],
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

    app.get(
      "/v1/datasets/:dataset/slices",
      {
        schema: {
          operationId: "sliceSamples",
          summary: "Compare sources or labels",
          description:
            "For each source, or each label: its samples, its part of the weights, and the mean of each column with its standard error. With `column=influence`, the mean says how much a source's samples help on average. The figures are of an index, which is at most a minute behind.",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          querystring: sliceQuerySchema,
          response: {
            200: sliceListSchema,
            ...problems("dataset_not_found", "unsuitable_signal", "overloaded", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const { query } = request;
        const { signal } = callerOf(request, reply);
        const { by, column: columns, limit } = query;
        const found = await looks.at(
          "slice",
          { dataset, by, columns, limit, filter: filterOf(query) },
          signal,
        );
        return {
          dataset,
          built_at: renderTime(found.builtAtMs),
          samples: found.samples,
          slices_total: found.slicesTotal,
          slices: found.slices.map(({ weightShare, effectiveSampleSize, means, ...slice }) => ({
            ...slice,
            weight_share: weightShare,
            effective_sample_size: effectiveSampleSize,
            means: means.map(({ standardError, ...mean }) => ({ ...mean, standard_error: standardError })),
          })),
        };
      },
    );
  };
}
