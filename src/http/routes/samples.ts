import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { deleteSample, lookUpSamples, readSample } from "../../scoring/datasets/remembered.js";
import type { Ports } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import type { DatasetSummary } from "../../store/dataset-records.js";
import { portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
import { stopwatchOf } from "../plugins/server-timing.js";
import { renderHistory, renderLookUp, renderSample, renderTime } from "../render.js";
import {
  datasetParamsSchema,
  lookUpAnswerSchema,
  lookUpBodySchema,
  sampleAnswerSchema,
  sampleParamsSchema,
} from "../schemas/dataset.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";

export function sampleRoutes(ports: Ports, limits: Limits): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/datasets/:dataset/lookup",
      {
        schema: {
          operationId: "lookUp",
          summary: "Look up weights and signals by sample id",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          body: lookUpBodySchema(limits),
          response: {
            200: lookUpAnswerSchema,
            ...problems(
              "invalid_json",
              "dataset_not_found",
              "snapshot_not_found",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const stopwatch = stopwatchOf(request);
        const { dataset } = request.params;
        const { ids, snapshot } = request.body;
        const found = await lookUpSamples(portsUntil(ports, request, reply), dataset, ids, snapshot);
        stopwatch.lap("lookup");
        const answer = {
          dataset,
          as_of: asOf(found),
          snapshot: found.snapshot?.version ?? null,
          weight_sum: found.snapshot?.weightSum ?? null,
          results: renderLookUp(ids, found),
        };
        stopwatch.lap("serialise");
        return answer;
      },
    );

    app.get(
      "/v1/datasets/:dataset/samples/:id",
      {
        schema: {
          operationId: "readSample",
          summary: "Read one sample",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: sampleParamsSchema(limits),
          response: {
            200: sampleAnswerSchema,
            ...problems("dataset_not_found", "sample_not_found", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { params } = request;
        const { dataset, sample, history } = await readSample(
          portsUntil(ports, request, reply),
          params.dataset,
          params.id,
        );
        return {
          dataset: dataset.dataset,
          as_of: asOf(dataset),
          ...renderSample(sample),
          history: renderHistory(history),
        };
      },
    );

    app.delete(
      "/v1/datasets/:dataset/samples/:id",
      {
        schema: {
          operationId: "deleteSample",
          summary: "Delete one sample",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: sampleParamsSchema(limits),
          response: {
            204: z.null().describe("Deleted"),
            ...problems("dataset_not_found", "sample_not_found", ...BODY_PROBLEMS, ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        const { dataset, id } = request.params;
        await deleteSample(portsUntil(ports, request, reply).store, dataset, id);
        return reply.code(204).send(null);
      },
    );
  };
}

function asOf({ snapshot }: Pick<DatasetSummary, "snapshot">): string | null {
  return snapshot === null ? null : renderTime(snapshot.createdAtMs);
}
