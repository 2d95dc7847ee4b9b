// Deletes ONNX Runtime's libraries for every platform but the one that this runs on.
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const bin = "node_modules/onnxruntime-node/bin";
const own = join(process.platform, process.arch);
const folders = readdirSync(bin).flatMap((api) =>
  readdirSync(join(bin, api)).flatMap((platform) =>
    readdirSync(join(bin, api, platform)).map((arch) => ({ api, platform, arch })),
  ),
);
const kept = folders.filter(({ platform, arch }) => join(platform, arch) === own);
if (kept.length !== 1)
  throw new Error(`${bin} holds ${kept.length} folders for ${own}: has the package changed its layout?`);
for (const { api, platform, arch } of folders) {
  const folder = join(bin, api, platform, arch);
  if (statSync(folder).isDirectory() && join(platform, arch) !== own) rmSync(folder, { recursive: true });
}
