import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { z } from "zod";
import { bodyFault, faultsError, relocated, type SamplePlace } from "../../errors.js";
import { isGroupLoss } from "../../importance/types.js";
import {
  OBSERVED_MODEL,
  type Observation,
  type Observed,
  observeSamples,
} from "../../scoring/datasets/observe.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { fieldsOfSamples, numbersIn, observedColumns } from "../../scoring/requests/observed-sample.js";
import type { Store } from "../../store/port.js";
import { ARROW_MEDIA_TYPE } from "../arrow/writer.js";
import { observationBatches } from "../observation-batches.js";
import { callerOf, portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
import { closingSignal } from "../plugins/closing.js";
import { JSON_MEDIA_TYPE } from "../plugins/media-types.js";
import { NDJSON_MEDIA_TYPE } from "../plugins/ndjson.js";
import { answerInLines } from "../plugins/progress-lines.js";
import { stopwatchOf } from "../plugins/server-timing.js";
import { isStreamBody, refuseQuery, takeStreamBodies } from "../plugins/stream-body.js";
import { datasetParamsSchema } from "../schemas/dataset.js";
import {
  observationAnswerSchema,
  observationBodySchema,
  observationQuerySchema,
} from "../schemas/observation.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";

const STREAM_TYPES = [NDJSON_MEDIA_TYPE, ARROW_MEDIA_TYPE];

type Query = z.infer<typeof observationQuerySchema>;

/** A plugin scope of its own, because it takes streams of samples. */
export function observationRoutes(ports: { readonly store: Store }, limits: Limits): FastifyPluginAsyncZod {
  return async (app) => {
    takeStreamBodies(app, STREAM_TYPES);
    const closing = closingSignal(app);
    app.post(
      "/v1/datasets/:dataset/observations",
      {
        bodyLimit: Math.min(limits.bodyBytesMax, JSON_BYTES_MAX),
        preValidation: async ({ body }) => refuseManyLogits(body),
        schema: {
          operationId: "observe",
          summary: "Remember outputs that a trainer computed itself",
          description: `Takes the logits that a trainer's own model gave, without texts, and runs no model. Each sample gets every signal of logits and label, \`grad_norm_last\` if \`feature_norm\` is sent, and the signals of its history: \`mean_confidence\`, \`variability\`, \`aum\` and \`forgetting\`. They are those of the newest post, whatever its step. Signals of gradients that a model of this service computed stay, with their label. A post that repeats a checkpoint replaces its logits. Send the samples as JSON, which is written as a whole or not at all and has at most ${LOGITS_MAX} logits and ${JSON_BYTES_MAX} bytes, or any number of them as JSON lines (\`${NDJSON_MEDIA_TYPE}\`) or as an Arrow IPC stream (\`${ARROW_MEDIA_TYPE}\`): one sample per line or row, with the other fields as query parameters and \`checkpoint\` and \`step\` in place of the object. Both are answered with JSON lines: after the first second \`{"samples": n}\` each second, and as the last line the answer, or a problem, which has a \`code\`. The status is then 200. What came before the line or row with a fault may be written; to repeat it does no harm.`,
          tags: ["datasets"],
          consumes: [JSON_MEDIA_TYPE, ...STREAM_TYPES],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          querystring: observationQuerySchema,
          body: observationBodySchema(limits),
          response: {
            200: observationAnswerSchema,
            ...problems(
              "invalid_json",
              "invalid_sample",
              "duplicate_id",
              "unsuitable_loss",
              "unsuitable_label",
              "checkpoint_conflict",
              "checkpoints_full",
              "shapes_full",
              "shutting_down",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const body: unknown = request.body;
        const { store } = portsUntil(ports, request, reply);
        const answerOf = ({ model, checkpoint }: Observation, { samples, late }: Observed) => ({
          dataset,
          model,
          checkpoint,
          samples,
          late,
        });
        if (!isStreamBody(body)) {
          refuseQuery(request.query);
          const { samples, model = OBSERVED_MODEL, ...rest } = request.body;
          const observation = { model, ...rest };
          const columns = observedColumns(samples.length, fieldsOfSamples(samples));
          const observed = await observeSamples(store, dataset, observation, columns);
          stopwatchOf(request).lap("keep");
          return answerOf(observation, observed);
        }
        const observation = observationOf(request.query);
        const signal = AbortSignal.any([callerOf(request, reply).signal, closing]);
        return answerInLines(request, reply, async (onProgress) => {
          const total = { samples: 0, late: 0 };
          const byGroup = isGroupLoss(observation.loss);
          for await (const { count, fields, placeOf } of observationBatches(body, {
            limits,
            byGroup,
            signal,
          })) {
            const observed = await located(placeOf, () =>
              observeSamples(store, dataset, observation, observedColumns(count, fields)),
            );
            total.samples += observed.samples;
            total.late += observed.late;
            onProgress({ samples: total.samples });
          }
          return answerOf(observation, total);
        });
      },
    );
  };
}

/** A JSON body is checked and written in one go, so it may not hold more than that takes some tens of milliseconds to do. */
const LOGITS_MAX = 2 ** 16;
/** Room for as many logits with all their digits, and for the longest names. */
const JSON_BYTES_MAX = 2 ** 21;

/** Throws `body_too_large` before the samples are checked, because to check millions of numbers takes longer than to count them. */
function refuseManyLogits(body: unknown): void {
  const { samples } = (body ?? {}) as { readonly samples?: unknown };
  if (!Array.isArray(samples)) return;
  let count = 0;
  for (const sample of samples as unknown[]) {
    const { logits, label } = (sample ?? {}) as { readonly logits?: unknown; readonly label?: unknown };
    count += Math.max(numbersIn(logits), numbersIn(label));
  }
  if (count > LOGITS_MAX)
    throw bodyFault(
      "body_too_large",
      `has more than ${LOGITS_MAX} logits: send fewer samples at once, or send them as JSON lines or Arrow`,
    );
}

/** Runs the work; the faults of its samples name their places in the stream. */
async function located<T>(placeOf: (index: number) => SamplePlace, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw relocated(error, placeOf);
  }
}

/** The fields of the query, which streams need. Throws `invalid_request` with each that is missing. */
function observationOf({ model = OBSERVED_MODEL, checkpoint, step, loss, mode }: Query): Observation {
  if (checkpoint !== undefined && step !== undefined && loss !== undefined && mode !== undefined)
    return { model, checkpoint: { name: checkpoint, step }, loss, mode };
  const missing = Object.entries({ checkpoint, step, loss, mode }).filter(([, value]) => value === undefined);
  const message = "is required as a query parameter with JSON lines and Arrow";
  throw faultsError(
    "invalid_request",
    missing.map(([path]) => ({ path, message })),
  );
}
