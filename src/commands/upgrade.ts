import type { Command } from "commander";
import { readConfig } from "../config.js";

interface UpgradeFlags {
  readonly dataDir?: string;
  readonly redisUrl?: string;
}

/** Time between two lines of progress. */
const PROGRESS_MS = 1000;

/** Adds `assay upgrade`, which rewrites the store of an earlier version. */
export function addUpgradeCommand(program: Command): void {
  program
    .command("upgrade")
    .description(
      "Rewrite the store of an earlier version in the present format. Before: stop every service that uses the store, and back it up. An interrupted upgrade goes on when the command runs again",
    )
    .option("--data-dir <folder>", "folder of the embedded store (ASSAY_DATA_DIR)")
    .option("--redis-url <url>", "Redis store (ASSAY_REDIS_URL)")
    .action((flags: UpgradeFlags) => upgradeStore(flags));
}

async function upgradeStore({ dataDir, redisUrl }: UpgradeFlags): Promise<void> {
  const flags = {
    ...(dataDir !== undefined && { "data-dir": dataDir }),
    ...(redisUrl !== undefined && { "redis-url": redisUrl }),
  };
  const { openStoreToUpgrade } = await import("../compose.js");
  const { groupDigests } = await import("../scoring/outputs/digests.js");
  const store = await openStoreToUpgrade(readConfig(process.env, flags));
  let saidAtMs = performance.now();
  try {
    const { datasets, samples } = await store.upgrade({
      digestGroup: groupDigests(await store.digestKey()),
      onProgress(dataset, rewritten) {
        if (performance.now() - saidAtMs < PROGRESS_MS) return;
        saidAtMs = performance.now();
        process.stderr.write(`assay: ${dataset}: ${rewritten} samples rewritten\n`);
      },
    });
    process.stdout.write(
      datasets === 0
        ? "The store has the present format: nothing to do\n"
        : `Upgraded ${datasets} datasets: ${samples} samples rewritten\n`,
    );
  } finally {
    await store.close();
  }
}
