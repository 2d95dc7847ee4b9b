/** What the screens read of the service's answers. openapi/openapi.json describes them in full. */

export interface Part {
  readonly ready: boolean;
  readonly detail: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly model: Part;
  readonly store: Part;
}

export interface Model {
  readonly name: string;
  readonly version: string;
  readonly status: "idle" | "loading" | "ready" | "failed";
  readonly task: string;
  readonly classes: number;
  readonly class_names: readonly string[] | null;
  readonly tokens_max: number;
  readonly precisions: readonly string[];
  readonly precision: string;
  readonly gradient_graphs: readonly string[];
  readonly gradient_scope: string | null;
  readonly memory: { readonly used_bytes: number | null; readonly forward_bytes: number };
  readonly embedding: { readonly size: number; readonly after: string } | null;
  readonly learned: { readonly target: string; readonly stale: boolean } | null;
}

export interface ModelList {
  readonly default: string | null;
  readonly models: readonly Model[];
}

export interface Snapshot {
  readonly version: number;
  readonly as_of: string;
  readonly samples: number;
  readonly weight_sum: number | null;
  readonly provenance: {
    readonly weighting?: {
      readonly signal?: string;
      readonly scheme?: string;
      readonly role?: string;
      readonly smoothing?: number;
      readonly clip?: number | null;
      readonly balance?: boolean;
    };
    readonly diagnostics?: {
      readonly effective_sample_size?: number | null;
      readonly max_weight?: number | null;
      readonly pareto_k?: number | null;
      readonly tau?: number | null;
    };
  };
}

export interface Dataset {
  readonly dataset: string;
  readonly samples: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly samples_by_model: Readonly<Record<string, number>>;
  readonly samples_by_source: Readonly<Record<string, number>>;
  readonly snapshot: Snapshot | null;
}

export interface DatasetList {
  readonly datasets: readonly Dataset[];
  readonly next_cursor: string | null;
}

export interface Histogram {
  readonly column: string;
  readonly count: number;
  readonly missing: number;
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  readonly mean: number | null;
  readonly quantiles: Readonly<Record<string, number>>;
}

export interface HistogramList {
  readonly built_at: string;
  /** Every column that the dataset has. */
  readonly columns: readonly string[];
  readonly histograms: readonly Histogram[];
  /** A row for each bin of the second column. */
  readonly map: readonly (readonly number[])[] | null;
}

export interface Slice {
  readonly name: string | null;
  readonly samples: number;
  readonly share: number;
  readonly weight_share: number | null;
  readonly effective_sample_size: number | null;
  readonly means: readonly {
    readonly column: string;
    readonly mean: number | null;
    readonly standard_error: number | null;
  }[];
}

export interface SliceList {
  readonly samples: number;
  readonly slices_total: number;
  readonly slices: readonly Slice[];
}

/** A sample with its signals beside its fields: `columnOf` reads them by name. */
export interface Sample {
  readonly id: string;
  readonly weight: number | null;
  readonly later?: boolean;
  readonly label: number | readonly number[] | null;
  readonly source: string | null;
  readonly group: string | null;
  readonly extras: Readonly<Record<string, number>>;
  readonly stale: boolean;
  readonly loss_name: string;
  readonly model: string;
  readonly scored_at: string;
  readonly text_digest: string | null;
  readonly [signal: string]: unknown;
}

export interface RankedPage {
  readonly samples: readonly Sample[];
  readonly next_cursor: string | null;
  /** Whether the ids are keyed hashes, which open no sample. */
  readonly hashed_ids: boolean;
}

export interface SampleAnswer extends Sample {
  readonly history: {
    readonly checkpoints: readonly {
      readonly name: string;
      readonly step: number;
      readonly logits: readonly number[];
    }[];
    readonly merged: { readonly checkpoints: number } | null;
  } | null;
}

export interface ScoreAnswer {
  readonly model: { readonly name: string; readonly version: string };
  readonly loss: string;
  readonly results: readonly {
    readonly logit?: number;
    readonly logits?: readonly number[];
    readonly probability?: number;
    readonly loss?: number;
    readonly grad_norm?: number;
    readonly sensitivity?: number;
    readonly cached: boolean;
    readonly truncated: boolean;
  }[];
}

/** The value of a signal, an extra (`extras.NAME`) or the weight; null if the sample has none. */
export function columnOf(sample: Sample, column: string): number | null {
  const value = column.startsWith("extras.") ? sample.extras[column.slice(7)] : sample[column];
  return typeof value === "number" ? value : null;
}
