import { type Fault, throwFaults } from "../../errors.js";
import { readsEmbeddings, readsScores } from "../../importance/selection/faults.js";
import {
  SELECTION_DEFAULTS,
  SELECTION_RULES,
  type SelectionOptions,
} from "../../importance/selection/rules.js";
import type { Seed, SelectionName, SelectionRequest } from "../../importance/selection/types.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import { SIGNALS, type SignalName } from "../../importance/types.js";
import { namesOf } from "../../importance/weigh-options.js";
import { pointerOf } from "../../text/json-structure.js";

/** By what a selection divides the samples into strata. */
export const STRATA = ["label", "group", "source"] as const;
export type StratifyBy = (typeof STRATA)[number];

/** Name of the column of the newest snapshot's weights, which a selection may read in place of a signal. */
export const WEIGHT_SIGNAL = "weight";

/** A selection as it was posted. Options that it leaves out have the values of `SELECTION_DEFAULTS`. */
export interface PostedSelection extends Partial<SelectionOptions> {
  readonly method: SelectionName;
  readonly size?: number | undefined;
  /** In place of `size`: a fraction of the candidates. */
  readonly share?: number | undefined;
  /** A signal, `extras.NAME` or `weight`. Absent: every sample has the score 1, for methods that draw. */
  readonly signal?: string | undefined;
  readonly stratify_by?: StratifyBy | undefined;
  readonly quotas?: Readonly<Record<string, number>> | undefined;
  readonly filter?: PostedFilter | undefined;
  /** Ids. */
  readonly exclude?: readonly string[] | undefined;
  readonly seed: Seed;
}

export interface PostedFilter {
  readonly label?: number | undefined;
  readonly source?: string | undefined;
  readonly ranges?:
    | readonly {
        readonly column: string;
        readonly min?: number | undefined;
        readonly max?: number | undefined;
      }[]
    | undefined;
}

/** The options of a selection with all defaults filled in. */
export function selectionOptions(selection: PostedSelection): SelectionOptions {
  const given = namesOf(SELECTION_DEFAULTS).flatMap((name) =>
    selection[name] === undefined ? [] : [[name, selection[name]]],
  );
  return { ...SELECTION_DEFAULTS, ...Object.fromEntries(given) };
}

/** Throws `unsuitable_selection` for the faults that can be found without reading the samples. */
export function checkSelection(selection: PostedSelection): void {
  throwFaults("unsuitable_selection", [
    ...sizeFaults(selection),
    ...optionFaults(selection),
    ...signalFaults(selection),
  ]);
}

/** The selection reads the scores of a signal. Without a signal, methods that draw give every sample the same chance. */
export function readsSignal(selection: PostedSelection): boolean {
  return selection.signal !== undefined && readsScores(requestOf(selection));
}

/** The selection reads the embeddings of the samples. */
export function needsEmbeddings(selection: PostedSelection): boolean {
  return readsEmbeddings(requestOf(selection));
}

/** The request as the mathematics takes it, with a size that is still open. */
function requestOf(selection: PostedSelection): SelectionRequest {
  const { method, seed } = selection;
  return { ...selectionOptions(selection), method, seed, size: null, quotas: null };
}

function sizeFaults({ method, size, share, quotas, stratify_by }: PostedSelection): Fault[] {
  const given = Object.entries({ size, share, quotas }).filter(([, value]) => value !== undefined);
  const [first, second] = given.map(([name]) => name);
  const faults: Fault[] = [];
  if (SELECTION_RULES[method].size === "none") {
    if (first !== undefined)
      faults.push(fault(first, `is not taken by ${method}, because the scores decide the size: set prune`));
  } else if (first === undefined) {
    faults.push(fault("size", `is required by ${method}: give a size, a share of the candidates, or quotas`));
  } else if (second !== undefined) {
    faults.push(fault(second, `cannot be given together with ${first}: leave one out`));
  }
  if (quotas !== undefined && stratify_by === undefined)
    faults.push(
      fault("stratify_by", "is required with quotas: say whether they are of label, group or source"),
    );
  return faults;
}

function optionFaults(selection: PostedSelection): Fault[] {
  const { method } = selection;
  const { options } = SELECTION_RULES[method];
  const reads = options.length === 0 ? "no option" : options.join(" and ");
  return namesOf(SELECTION_DEFAULTS)
    .filter((name) => selection[name] !== undefined && !options.includes(name))
    .map((name) => fault(name, `is not read by ${method}, which reads ${reads}`));
}

function signalFaults(selection: PostedSelection): Fault[] {
  const { method, signal } = selection;
  const rule = SELECTION_RULES[method];
  if (signal === undefined) {
    const isUniform = rule.size !== "none" && rule.multipliers;
    return isUniform || !readsScores(requestOf(selection))
      ? []
      : [fault("signal", `is required by ${method}: name a signal, extras.NAME or ${WEIGHT_SIGNAL}`)];
  }
  if (!isSignal(signal)) return [];
  if (rule.unlabelled && SIGNAL_TABLE[signal].labelOfOneLogit !== "none") {
    const suitable = SIGNALS.filter((name) => SIGNAL_TABLE[name].labelOfOneLogit === "none").join(", ");
    return [
      fault(
        "signal",
        `is ${signal}, which needs a label, and ${method} selects samples without one: ${suitable} need none`,
      ),
    ];
  }
  return [];
}

export function isSignal(name: string): name is SignalName {
  return SIGNALS.some((signal) => signal === name);
}

/** @param steps from the body to the place of the fault */
export function fault(steps: string | readonly string[], message: string): Fault {
  return { path: pointerOf(typeof steps === "string" ? [steps] : [...steps]), message };
}
