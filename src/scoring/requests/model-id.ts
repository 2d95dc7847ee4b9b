import type { ModelDescription } from "../../ranker/port.js";

/** The name under which a sample remembers its model. */
export function modelId({ name, version }: Pick<ModelDescription, "name" | "version">): string {
  return `${name}@${version}`;
}
