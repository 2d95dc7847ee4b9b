import { keptIds } from "../../text/kept-ids.js";
import type { IdForm } from "../dataset-port.js";
import type { OutputsStore } from "../port.js";
import { openRecent } from "../recent.js";
import type { Connection } from "./connection.js";
import { bytes, orNull, type Reply } from "./reply.js";

/** Datasets of which a process knows how they keep ids. */
const DATASETS_MAX = 2 ** 14;

/** The answer of a script that was given ids in another form than the dataset keeps them. It has done nothing. */
export const OTHER_IDS = "other ids";

/** What a script answers, unless it was given ids in another form. */
export function unlessOtherIds<T>(reply: Reply<T>): Reply<T | typeof OTHER_IDS> {
  return (answer) => (answer === -1 ? OTHER_IDS : reply(answer));
}

/** `hasOtherIds` tells whether the dataset keeps ids in another form than the caller has sent them (`SentIds.expected`). */
export const KEPT_IDS = `
local function hasOtherIds(meta, expected)
  return expected ~= "" and expected ~= (redis.call("HGET", meta, "hashed_ids") or "0")
end
`;

/** How ids are sent to a script. */
export interface SentIds {
  /** What the script expects of the dataset: `1` if it hashes its ids, `0` if not; empty for any. */
  readonly expected: "0" | "1" | "";
  /** What the keys of the dataset's samples have instead of an id. */
  keptId(id: string): string;
}

/** For ids that a scan gave, and for none. */
const KEPT_AS_THEY_ARE: SentIds = { expected: "", keptId: (id) => id };

export interface KeptIds {
  /**
   * Does the work with ids in the form in which the dataset keeps them. If that has changed since this process has seen it, the
   * work answers `OTHER_IDS` and is done again. Ids that a scan gave (`kept`) are sent as they are.
   */
  within<T>(
    dataset: string,
    work: (ids: SentIds) => Promise<T | typeof OTHER_IDS>,
    form?: IdForm,
  ): Promise<T>;
}

/**
 * Redis cannot make the hashes, so a process makes them. It asks once whether a dataset hashes its ids, and the scripts check what it
 * has learnt. So no dataset ever has ids in two forms, and an id is not sent in clear to look at a dataset for the first time.
 */
export function openKeptIds(
  connection: Connection,
  keyOf: (dataset: string) => string,
  { digestKey }: Pick<OutputsStore, "digestKey">,
): KeptIds {
  const known = openRecent<"0" | "1">(DATASETS_MAX, () => 1);

  async function read(dataset: string): Promise<"0" | "1"> {
    const field = await connection.send("HGET", [keyOf(dataset), "hashed_ids"], orNull(bytes));
    const expected = field?.toString() === "1" ? "1" : "0";
    known.set(dataset, expected);
    return expected;
  }

  async function sentIds(dataset: string): Promise<SentIds> {
    const expected = known.get(dataset) ?? (await read(dataset));
    const keptId = expected === "1" ? keptIds(await digestKey(), dataset) : KEPT_AS_THEY_ARE.keptId;
    return { expected, keptId };
  }

  return {
    async within(dataset, work, form = "given") {
      for (;;) {
        const done = await work(form === "kept" ? KEPT_AS_THEY_ARE : await sentIds(dataset));
        if (done !== OTHER_IDS) return done;
        known.delete(dataset);
      }
    },
  };
}
