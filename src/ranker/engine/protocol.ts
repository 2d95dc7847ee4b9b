import type { Outputs, Precision, Text } from "../port.js";

/** What the service tells an engine process. */
export type ToEngine =
  | {
      readonly type: "load";
      readonly directory: string;
      readonly precision: Precision;
      readonly threads: number;
    }
  | {
      readonly type: "run";
      readonly run: number;
      readonly texts: readonly Text[];
      readonly precision: Precision;
    }
  | { readonly type: "cancel"; readonly run: number };

/** What an engine process answers. */
export type FromEngine =
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "done"; readonly run: number; readonly outputs: Outputs }
  | { readonly type: "refused"; readonly run: number; readonly reason: string }
  | ({ readonly type: "batch" } & BatchFacts);

/** One batch that a session ran, for the metrics. */
export interface BatchFacts {
  readonly rows: number;
  /** Tokens that carry text, special tokens included. */
  readonly tokens: number;
  /** Rows × longest row. */
  readonly paddedTokens: number;
  readonly inferMs: number;
}
