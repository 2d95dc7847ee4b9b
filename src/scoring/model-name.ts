import { AssayError } from "../errors.js";
import type { Rankers } from "../ranker/port.js";

/** The model that a request names, or the default model. Throws `model_not_found` if it names none and there is no default. */
export function modelNameOf({ defaultName }: Rankers, asked: string | undefined): string {
  const name = asked ?? defaultName;
  if (name !== null) return name;
  throw new AssayError("model_not_found", {
    detail: "The service has no default model (ASSAY_DEFAULT_MODEL is none): name a model",
  });
}
