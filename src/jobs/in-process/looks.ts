import { AssayError } from "../../errors.js";
import type { Looks } from "../port.js";
import type { Executor } from "./executor.js";

/** Most looks that are under way at once. */
const LOOKS_MAX = 64;

/** Looks at datasets over an executor that does nothing else, so that no job holds them up. */
export function openLooks(executor: Executor): Looks {
  let underWay = 0;
  return {
    async at(kind, input, signal) {
      if (underWay >= LOOKS_MAX)
        throw new AssayError("overloaded", {
          detail: `${LOOKS_MAX} looks at datasets are under way: send the request again later`,
        });
      underWay++;
      try {
        return await executor.run(kind, input, { signal, onProgress: () => undefined });
      } finally {
        underWay--;
      }
    },
    close: () => executor.close(),
  };
}
