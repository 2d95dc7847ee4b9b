import { AssayError } from "../../errors.js";
import type { Ranker, Rankers } from "../../ranker/port.js";
import type { ScoreRequest } from "../requests/score-request.js";

/** The models of one request, kept open while it is scored. */
export interface OpenModels {
  /** The model that scores the samples. */
  readonly ranker: Ranker;
  readonly reference: Ranker | null;
  readonly trajectory: readonly NamedCheckpoint[];
}

/** One checkpoint of a training run, with its model open. */
export interface NamedCheckpoint {
  readonly ranker: Ranker;
  /** Name of the direction that was made with its weights. */
  readonly direction: string;
  readonly learningRate: number;
}

/** Keeps the request's models open while `work` runs. Throws `model_not_found`, and what `work` throws. */
export function useModels<T>(
  rankers: Rankers,
  { model, reference, trajectory = [] }: ScoreRequest,
  work: (models: OpenModels) => Promise<T>,
): Promise<T> {
  const own = modelNameOf(rankers, model);
  const checkpoints = trajectory.map((checkpoint) => checkpoint.model);
  const names = [own, ...(reference === undefined ? [] : [reference.model]), ...checkpoints];
  return useAll(rankers, [...new Set(names)], new Map(), (open) => {
    const rankerOf = (name: string): Ranker => open.get(name) as Ranker;
    return work({
      ranker: rankerOf(own),
      reference: reference === undefined ? null : rankerOf(reference.model),
      trajectory: trajectory.map(({ model: name, direction, learning_rate: learningRate }) => ({
        ranker: rankerOf(name),
        direction,
        learningRate,
      })),
    });
  });
}

function useAll<T>(
  rankers: Rankers,
  [name, ...names]: readonly string[],
  open: ReadonlyMap<string, Ranker>,
  work: (open: ReadonlyMap<string, Ranker>) => Promise<T>,
): Promise<T> {
  if (name === undefined) return work(open);
  return rankers.use(name, (ranker) => useAll(rankers, names, new Map([...open, [name, ranker]]), work));
}

/** The model that a request names, or the default model. Throws `model_not_found` if it names none and there is no default. */
export function modelNameOf({ defaultName }: Rankers, asked: string | undefined): string {
  const name = asked ?? defaultName;
  if (name !== null) return name;
  throw new AssayError("model_not_found", {
    detail: "The service has no default model (ASSAY_DEFAULT_MODEL is none): name a model",
  });
}
