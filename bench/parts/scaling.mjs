import { scoreAll } from "../client.mjs";
import { chunksOf } from "../pairs.mjs";
import { figure, interleave } from "../rounds.mjs";
import { startService } from "../service.mjs";

const LAYOUTS = [
  { sessions: 1, threads: 1 },
  { sessions: 1, threads: 2 },
  { sessions: 2, threads: 1 },
];

/** Throughput with nothing cached over sessions and threads. */
export async function measureScaling({ options, pairs, fresh, precision, report }) {
  const { model, rounds } = options;
  const services = new Map();
  try {
    for (const { sessions, threads } of LAYOUTS) {
      const env = {
        ASSAY_PRECISION: precision,
        ASSAY_SESSIONS: String(sessions),
        ASSAY_THREADS_PER_SESSION: String(threads),
      };
      services.set(
        `${sessions} ${sessions === 1 ? "session" : "sessions"} × ${threads} ${threads === 1 ? "thread" : "threads"}`,
        await startService({ model, env }),
      );
    }
    const values = await interleave(
      rounds,
      Object.fromEntries(
        [...services].map(([name, service]) => [
          name,
          async () => (await scoreAll(service, chunksOf(fresh(pairs), 200), 4)).pairsPerSecond,
        ]),
      ),
    );
    const [first] = services.keys();
    for (const name of services.keys()) {
      const against = name === first ? undefined : { name: first, values: values[first] };
      report(figure({ part: "scaling", precision, unit: "pairs/s", name, values: values[name], against }));
    }
  } finally {
    for (const service of services.values()) await service.close();
  }
}
