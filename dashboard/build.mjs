import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCE = fileURLToPath(new URL(".", import.meta.url));
const OUT = fileURLToPath(new URL("../dist/dashboard/", import.meta.url));

/**
 * Builds the dashboard into dist/dashboard: a page and its assets, whose names hold a hash of their content. A build without a change
 * writes nothing, because services that serve the files may run beside it.
 */
const { outputFiles } = await build({
  absWorkingDir: SOURCE,
  entryPoints: ["src/main.tsx", "src/icon.svg"],
  loader: { ".svg": "copy" },
  entryNames: "assets/[name]-[hash]",
  outdir: OUT,
  bundle: true,
  minify: true,
  write: false,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  // The licences of what is bundled are in NOTICE.
  legalComments: "none",
  logLevel: "warning",
});
const assets = outputFiles.map(({ path, contents }) => ({ path, contents: Buffer.from(contents) }));

function nameOf(ending) {
  return `assets/${basename(assets.find(({ path }) => path.endsWith(ending)).path)}`;
}

const page = readFileSync(join(SOURCE, "index.html"), "utf8")
  .replace("{{icon}}", nameOf(".svg"))
  .replace("{{styles}}", nameOf(".css"))
  .replace("{{script}}", nameOf(".js"));
const files = [...assets, { path: join(OUT, "index.html"), contents: Buffer.from(page) }];
for (const { path, contents } of files) {
  mkdirSync(dirname(path), { recursive: true });
  if (!isWritten(path, contents)) writeFileSync(path, contents);
}
const names = new Set(assets.map(({ path }) => basename(path)));
for (const name of readdirSync(join(OUT, "assets"))) if (!names.has(name)) rmSync(join(OUT, "assets", name));

function isWritten(path, contents) {
  try {
    return readFileSync(path).equals(contents);
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}
