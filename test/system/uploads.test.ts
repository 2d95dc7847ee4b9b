import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { metric, score, until } from "../support/load.js";
import { copiesOfShipped, readManifest, shiftedWeights, uploadOf } from "../support/model.js";
import type { Json } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

const SAMPLE = { query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 };
const HEADERS = { "content-type": "application/vnd.assay.weights" };
const REFUSED = 'assay_model_reloads_total{model="default",outcome="refused"}';

async function put({ url }: Service, upload: Buffer): Promise<{ status: number; body: Json }> {
  const sent = { method: "PUT", headers: HEADERS, body: new Uint8Array(upload) };
  const response = await fetch(`${url}/v1/models/default/weights`, sent);
  return { status: response.status, body: await response.json() };
}

/** Sends half of an upload and keeps the connection open. `upload` settles when it ends. */
function putHalf({ url }: Service, bytes: Buffer): { upload: Promise<unknown>; breakOff(): void } {
  const client = new AbortController();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(bytes.subarray(0, bytes.length / 2))),
  });
  const sent = { method: "PUT", headers: HEADERS, body, duplex: "half", signal: client.signal };
  const upload = fetch(`${url}/v1/models/default/weights`, sent as RequestInit).catch((error) => error);
  return { upload, breakOff: () => client.abort() };
}

function hidden(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("."));
}

async function logit(service: Service): Promise<number> {
  return (await score(service, [SAMPLE])).body.results[0].logit;
}

describe("an upload that breaks", () => {
  it("because its client dies leaves nothing, and the same one sent again is taken, as often as it is sent", async () => {
    const models = copiesOfShipped("default");
    const folder = join(models, "default");
    const manifest = readManifest(folder);
    const service = await startService({ env: { ASSAY_MODELS_DIR: models } });
    const before = await logit(service);
    const bytes = uploadOf(shiftedWeights(folder, 1));

    const { upload, breakOff } = putHalf(service, bytes);
    await until(() => hidden(folder).length === 1, "the upload is staged");
    const busy = await put(service, bytes);
    expect([busy.status, busy.body.code]).toEqual([409, "model_busy"]);
    breakOff();
    await upload;
    await until(() => hidden(folder).length === 0, "what was staged is removed");
    expect(readManifest(folder)).toEqual(manifest);
    expect(await logit(service)).toBe(before);

    const [first, second] = [await put(service, bytes), await put(service, bytes)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body.version).toBe(first.body.version);
    expect(await logit(service)).toBeCloseTo(before + 1, 4);
  });

  it("because the service is killed leaves what the next start removes, with the old weights", async () => {
    const models = copiesOfShipped("default");
    const folder = join(models, "default");
    const env = { ASSAY_MODELS_DIR: models };
    const first = await startService({ env });
    const before = await logit(first);
    const bytes = uploadOf(shiftedWeights(folder, 1));
    const { upload } = putHalf(first, bytes);
    await until(() => hidden(folder).length === 1, "the upload is staged");
    await first.stop("SIGKILL");
    await upload;
    expect(hidden(folder)).toHaveLength(1);
    const second = await startService({ env });
    expect(hidden(folder)).toEqual([]);
    expect(await logit(second)).toBe(before);
    expect((await put(second, bytes)).status).toBe(200);
  });

  it("because the disk is full is refused and leaves nothing, and is taken once there is room", async () => {
    const models = copiesOfShipped("default");
    const folder = join(models, "default");
    const bytes = uploadOf(shiftedWeights(folder, 1));
    // Files of the service grow no larger than half the weights, in blocks of 1 KiB.
    const through = ["bash", "-c", `ulimit -S -f ${Math.floor(bytes.length / 2048)}; exec "$0" "$@"`];
    const service = await startService({ env: { ASSAY_MODELS_DIR: models }, through });
    const before = await logit(service);
    const { status, body } = await put(service, bytes);
    expect([status, body.code]).toEqual([409, "model_read_only"]);
    expect(body.detail).toMatch(/cannot be written to: write fails with EFBIG/);
    expect(hidden(folder)).toEqual([]);
    expect(await logit(service)).toBe(before);
    expect(await metric(service, REFUSED)).toBe(1);
    execFileSync("prlimit", ["--pid", String(service.process.pid), "--fsize=unlimited"]);
    expect((await put(service, bytes)).status).toBe(200);
    expect(await logit(service)).toBeCloseTo(before + 1, 4);
  });
});
