import { decodeHistory } from "../codec/history.js";
import type { FoundHistories, HistoryStore } from "../dataset-port.js";
import type { SampleHistory, TrainingCheckpoint } from "../dataset-records.js";
import type { Connection } from "./connection.js";
import { defineScript } from "./connection.js";
import { HISTORIES } from "./history-scripts.js";
import { KEPT_IDS, type KeptIds, type SentIds, unlessOtherIds } from "./kept-ids.js";
import { bucketOf } from "./keys.js";
import { readPackedList } from "./packed-list.js";
import { bytes, list, orNull, type Reply } from "./reply.js";
import { checkpointList } from "./script-replies.js";
import { LAYOUT } from "./scripts.js";

interface StoredHistories {
  readonly checkpoints: readonly TrainingCheckpoint[];
  /** A packed list. */
  readonly stored: Buffer;
}

const storedHistories: Reply<StoredHistories> = (answer) => {
  const [checkpoints, stored] = list(answer);
  return { checkpoints: checkpointList(checkpoints), stored: bytes(stored) };
};

/** ARGV: what is expected of the ids; bucket and id of each sample. Answers the checkpoints as a flat list, and the histories as a packed list. */
const READ_HISTORIES = defineScript(
  unlessOtherIds(orNull(storedHistories)),
  `${LAYOUT}${HISTORIES}${KEPT_IDS}
local incarnation = redis.call("HGET", KEYS[1], "incarnation")
if not incarnation then return false end
if hasOtherIds(KEYS[1], ARGV[1]) then return -1 end
local base = KEYS[1] .. ":" .. incarnation .. ":"
local found = {}
for index = 2, #ARGV, 2 do
  local stored = redis.call("HGET", base .. ARGV[index], ARGV[index + 1])
  local history = stored and historyAt(base, (numbersOf(stored))) or ""
  found[index / 2] = history ~= "" and history
end
return { redis.call("HGETALL", base .. "checkpoints"), cmsgpack.pack(found) }
`,
);

/** Reads the histories of samples. @param keyOf key of a dataset's own hash */
export function readHistories(
  connection: Connection,
  keyOf: (dataset: string) => string,
  keptIds: KeptIds,
): HistoryStore["readHistories"] {
  return async (dataset, ids, form): Promise<FoundHistories | null> => {
    const read = ({ expected, keptId }: SentIds) => {
      const args = ids.map(keptId).flatMap((id) => [bucketOf(id), id]);
      return connection.run(READ_HISTORIES, keyOf(dataset), [expected, ...args]);
    };
    const found = await keptIds.within(dataset, read, form);
    if (found === null) return null;
    const { checkpoints, stored } = found;
    const histories: (SampleHistory | null)[] = ids.map(() => null);
    readPackedList(stored, (index, from, to) => {
      histories[index] = decodeHistory(stored, from, to);
    });
    return { checkpoints, histories };
  };
}
