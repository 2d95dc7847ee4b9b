import { weightScale } from "../codec/stored.js";
import { datasetNotFound, type Lifetime } from "../lifetime.js";
import type { SnapshotStore } from "../port.js";
import { openWeighings, weighingOvertaken } from "../weighings.js";
import type { Argument, Connection } from "./connection.js";
import { bucketOf, datasetKey } from "./keys.js";
import { PUBLISH_SNAPSHOT, TAKE_SNAPSHOT_VERSION, WRITE_WEIGHTS } from "./scripts.js";

/** Most samples whose weights one script writes. It is limited, because Redis does nothing else during a script. */
const CHUNK = 1000;
/** The answer of the scripts if the snapshot is overtaken: see `LATER_MAX`. */
const OVERTAKEN = -1;

/** Writes a snapshot chunk by chunk while readers still see the newest one, and then replaces that one. */
export function openSnapshots(connection: Connection, prefix: string, { run }: Lifetime): SnapshotStore {
  const inTurn = openWeighings();

  const write: SnapshotStore["writeSnapshot"] = async (dataset, { ids, weights }, provenance) => {
    const key = datasetKey(prefix, dataset);
    const taken = await connection.run(TAKE_SNAPSHOT_VERSION, key, []);
    if (taken === null) throw datasetNotFound(dataset);
    const { incarnation, version } = taken;
    let samples = 0;
    for (let start = 0; start < ids.length; start += CHUNK) {
      const args: Argument[] = [incarnation, version];
      for (const [offset, id] of ids.slice(start, start + CHUNK).entries()) {
        args.push(bucketOf(id), id, float32(weights[start + offset] as number));
      }
      const written = await connection.run(WRITE_WEIGHTS, key, args);
      if (written === null) throw datasetNotFound(dataset);
      if (written === OVERTAKEN) throw weighingOvertaken(dataset);
      samples += written;
    }
    const info = { version, createdAtMs: Date.now(), samples, provenance };
    const kept = JSON.stringify({ ...info, weightScale: weightScale(weights) });
    const published = await connection.run(PUBLISH_SNAPSHOT, key, [incarnation, version, kept]);
    if (published === null) throw datasetNotFound(dataset);
    if (published === OVERTAKEN) throw weighingOvertaken(dataset);
    return info;
  };

  return {
    writeSnapshot: (dataset, weights, provenance) =>
      run(() => inTurn(dataset, () => write(dataset, weights, provenance))),
  };
}

function float32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeFloatLE(value, 0);
  return bytes;
}
