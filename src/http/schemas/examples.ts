import { NDJSON_MEDIA_TYPE } from "../plugins/ndjson.js";

/** An example request in the documentation. */
export interface RequestExample {
  readonly summary: string;
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  /** Media type of the body; JSON if absent. */
  readonly mediaType?: string;
}

const SEARCH = { dataset: "search-2026-11" };
const REVIEWS = { dataset: "reviews" };

const CABLE = { query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 };
const ADAPTER = { query: "usb c cable", document: "Lightning adapter, white", label: 0 };

const FIRST_PAGE = { summary: "The first page", query: { limit: 100 } };
const nextPage = (after: string): RequestExample => ({
  summary: "The next page",
  query: { limit: 100, cursor: Buffer.from(after).toString("base64url") },
});

const SERVED: Readonly<Record<string, RequestExample>> = {
  default: { summary: "The default model", path: { model: "default" } },
  checkpoint: { summary: "Another checkpoint", path: { model: "epoch-1" } },
};

const JOBS: Readonly<Record<string, RequestExample>> = {
  first: { summary: "A job", path: { job: "00000000-0000-4000-8000-000000000001" } },
  second: { summary: "Another job", path: { job: "00000000-0000-4000-8000-000000000002" } },
};

/**
 * Example requests, by operation and name, for each operation with parameters or a body. The tests send them in this order to a
 * service with the models `default` and `epoch-1`.
 */
export const EXAMPLES: Readonly<Record<string, Readonly<Record<string, RequestExample>>>> = {
  score: {
    batch: { summary: "Weights of a batch; nothing is remembered", body: { samples: [CABLE, ADAPTER] } },
    remembered: {
      summary: "Pairs that a dataset remembers by their ids",
      body: {
        ...SEARCH,
        signals: ["loss", "grad_norm_last"],
        weighting: { signal: "loss", scheme: "rank" },
        samples: [
          { id: "q1:p9", ...CABLE },
          { id: "q1:p7", ...ADAPTER },
        ],
      },
    },
    lines: {
      summary: "A stream of samples, without weights",
      query: { signals: "loss" },
      body: `${JSON.stringify(CABLE)}\n${JSON.stringify(ADAPTER)}\n`,
      mediaType: NDJSON_MEDIA_TYPE,
    },
    texts: {
      summary: "Draw probabilities for single texts, from their gradient norms",
      body: {
        ...REVIEWS,
        weighting: { signal: "grad_norm_last", role: "probability" },
        samples: [
          { id: "r1", text: "Broke after a week", label: 0 },
          { id: "r2", text: "Does what it says", label: 1 },
        ],
      },
    },
  },
  explain: {
    tokens: { summary: "What moves the logit and the loss of a pair", body: { samples: [CABLE] } },
    words: {
      summary: "Without gradients, word by word",
      body: { method: "occlusion", samples: [{ text: "quick and reliable" }] },
    },
  },
  estimate: {
    included: {
      summary: "The click rate of 1,000 results, of which four were reviewed with known probabilities",
      body: {
        values: { clicked: [1, 0, 0, 1] },
        inclusion_probabilities: [0.02, 0.01, 0.01, 0.005],
        population: 1000,
      },
    },
    shifted: {
      summary: "A mean under another distribution than the one that was drawn from",
      body: { values: { loss: [0.1, 0.4, 2.2] }, log_p: [-1, -1.2, -3], log_q: [-1.5, -1, -2] },
    },
  },
  observe: {
    batch: {
      summary: "Logits of a trainer's own model after an epoch",
      path: SEARCH,
      body: {
        checkpoint: { name: "epoch-1", step: 500 },
        loss: "bce",
        mode: "eval",
        samples: [
          { id: "q1:p9", label: 1, logits: 2.25, feature_norm: 3.5 },
          { id: "q1:p7", label: 0, logits: -0.5, feature_norm: 3.25 },
        ],
      },
    },
    lines: {
      summary: "The same as a stream of lines",
      path: SEARCH,
      query: { checkpoint: "epoch-2", step: 1000, loss: "bce", mode: "eval" },
      body: [
        { id: "q1:p9", label: 1, logits: 2.75 },
        { id: "q1:p7", label: 0, logits: -1.5 },
      ]
        .map((sample) => `${JSON.stringify(sample)}\n`)
        .join(""),
      mediaType: NDJSON_MEDIA_TYPE,
    },
  },
  listDatasets: { first: FIRST_PAGE, next: nextPage(REVIEWS.dataset) },
  readDataset: {
    pairs: { summary: "A dataset of pairs", path: SEARCH },
    texts: { summary: "A dataset of texts", path: REVIEWS },
  },
  setDataset: {
    embedding: {
      summary: "Keep the embeddings of the samples that are scored from now on",
      path: SEARCH,
      body: { embedding: { type: "int8", bytes_max: 1_073_741_824 } },
    },
    none: {
      summary: "Keep no embeddings, and delete those that are kept",
      path: REVIEWS,
      body: { embedding: null },
    },
  },
  lookUp: {
    pairs: {
      summary: "Two known ids, and an unknown one, whose result is null",
      path: SEARCH,
      body: { ids: ["q1:p9", "q1:p7", "q2:p1"] },
    },
    texts: { summary: "One id", path: REVIEWS, body: { ids: ["r1"] } },
  },
  weighDataset: {
    rank: {
      summary: "By the rank of the loss",
      path: SEARCH,
      body: { weighting: { signal: "loss", scheme: "rank", normalise: "mean" } },
    },
    mix: {
      summary: "Draw probabilities from two signals",
      path: REVIEWS,
      body: {
        weighting: {
          mix: [
            { signal: "loss", share: 2 },
            { signal: "grad_norm_last", share: 1 },
          ],
          role: "probability",
          smoothing: 0.1,
        },
      },
    },
  },
  listSnapshots: {
    pairs: { summary: "A dataset of pairs", path: SEARCH },
    texts: { summary: "A dataset of texts", path: REVIEWS },
  },
  rankSamples: {
    worst: { summary: "The largest losses first", path: SEARCH, query: { sort: "-loss", limit: 100 } },
    range: {
      summary: "Positives whose loss lies in a range, the smallest first",
      path: REVIEWS,
      query: { sort: "loss", label: 1, range: "loss:0.1..5" },
    },
  },
  countSamples: {
    loss: { summary: "A histogram of the loss", path: SEARCH, query: { column: "loss", bins: 20 } },
    log: {
      summary: "On a log scale",
      path: REVIEWS,
      query: { column: "grad_norm_last", scale: "log" },
    },
  },
  sliceSamples: {
    source: {
      summary: "The sources, with the mean loss of each",
      path: SEARCH,
      query: { by: "source", column: "loss" },
    },
    label: {
      summary: "The labels, of samples whose loss lies in a range",
      path: REVIEWS,
      query: { by: "label", column: "grad_norm_last", range: "loss:0.1..5" },
    },
  },
  readJob: JOBS,
  cancelJob: JOBS,
  selectSamples: {
    draw: {
      summary: "Half of the samples, drawn in proportion to a signal, with multipliers",
      path: SEARCH,
      body: { method: "poisson", share: 0.5, signal: "grad_norm_last", seed: 1 },
    },
    review: {
      summary: "The sample with the largest loss of each class, to be reviewed",
      path: SEARCH,
      body: { method: "top", signal: "loss", stratify_by: "label", quotas: { 0: 1, 1: 1 } },
    },
  },
  estimateNoise: {
    page: {
      summary: "The most suspicious labels, by the best evidence that the dataset has",
      path: SEARCH,
      body: {},
    },
    planted: {
      summary: "Also the threshold that finds 80% of the labels that were flipped on purpose",
      path: SEARCH,
      body: { evidence: "newest", planted: ["q1:p7"], recall: 0.8, limit: 10 },
    },
  },
  exportDataset: {
    lines: { summary: "JSON lines", path: SEARCH, query: { format: "ndjson" } },
    parquet: { summary: "A Parquet file", path: REVIEWS, query: { format: "parquet" } },
  },
  readSample: {
    pair: { summary: "A pair", path: { ...SEARCH, id: "q1:p9" } },
    text: { summary: "A text", path: { ...REVIEWS, id: "r1" } },
  },
  deleteSample: {
    pair: { summary: "A pair", path: { ...SEARCH, id: "q1:p7" } },
    text: { summary: "A text", path: { ...REVIEWS, id: "r2" } },
  },
  deleteDataset: {
    pairs: { summary: "A dataset of pairs", path: SEARCH },
    texts: { summary: "A dataset of texts", path: REVIEWS },
  },
  makeDirection: {
    gradient: {
      summary: "The mean loss gradient of trusted samples",
      path: { direction: "trusted" },
      body: { kind: "loss_gradient", samples: [CABLE, ADAPTER] },
    },
    lines: {
      summary: "The mean unit gradient of a stream",
      path: { direction: "stream" },
      query: { kind: "mean_direction" },
      body: `${JSON.stringify(CABLE)}\n${JSON.stringify(ADAPTER)}\n`,
      mediaType: NDJSON_MEDIA_TYPE,
    },
  },
  listDirections: { first: FIRST_PAGE, next: nextPage("stream") },
  readDirection: {
    gradient: { summary: "A mean loss gradient", path: { direction: "trusted" } },
    lines: { summary: "A mean unit gradient", path: { direction: "stream" } },
  },
  scaleDirection: {
    gradient: { summary: "A mean loss gradient, as the optimiser sees it", path: { direction: "trusted" } },
    lines: { summary: "A mean unit gradient, as the optimiser sees it", path: { direction: "stream" } },
  },
  deleteDirection: {
    gradient: { summary: "A mean loss gradient", path: { direction: "trusted" } },
    lines: { summary: "A mean unit gradient", path: { direction: "stream" } },
  },
  readModel: SERVED,
  readManifest: SERVED,
  reloadModel: SERVED,
  replaceWeights: SERVED,
};
