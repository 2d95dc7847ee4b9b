// Deletes the native libraries for every platform but the one that this runs on, glibc on Linux: 350 MB.
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

pruneOnnxRuntime("node_modules/onnxruntime-node/bin", join(process.platform, process.arch));
pruneTokenizers("node_modules/tokenizers", `tokenizers.${process.platform}-${process.arch}-gnu.node`);

/** A folder a platform under each version of Node-API. */
function pruneOnnxRuntime(bin, own) {
  const folders = readdirSync(bin).flatMap((api) =>
    readdirSync(join(bin, api)).flatMap((platform) =>
      readdirSync(join(bin, api, platform)).map((arch) => ({ api, platform, arch })),
    ),
  );
  requireOne(
    bin,
    own,
    folders.filter(({ platform, arch }) => join(platform, arch) === own),
  );
  for (const { api, platform, arch } of folders) {
    const folder = join(bin, api, platform, arch);
    if (statSync(folder).isDirectory() && join(platform, arch) !== own) rmSync(folder, { recursive: true });
  }
}

/** A file a platform. */
function pruneTokenizers(folder, own) {
  const libraries = readdirSync(folder).filter((name) => name.endsWith(".node"));
  requireOne(
    folder,
    own,
    libraries.filter((name) => name === own),
  );
  for (const name of libraries) if (name !== own) rmSync(join(folder, name));
}

function requireOne(place, own, found) {
  if (found.length === 1) return;
  throw new Error(`${place} holds ${found.length} libraries for ${own}: has the package changed its layout?`);
}
