import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withoutPaths } from "../../../src/ranker/engine/host/without-paths.js";
import { temporaryFolder } from "../../support/app.js";

test.each([
  ["Load model from /srv/m/mine/forward.onnx failed", "Load model from forward.onnx failed"],
  [
    'External data path does not exist: "/var/lib/assay/x/weights.bin"',
    'External data path does not exist: "weights.bin"',
  ],
  ["/onnxruntime_src/core/tensor.cc:12 failed, see /opt/a.b/c.so", "tensor.cc:12 failed, see c.so"],
  ["Gemm node. Name:'/bert/encoder/Gemm'", "Gemm node. Name:'/bert/encoder/Gemm'"],
  ["see https://onnxruntime.ai/docs/a.html", "see https://onnxruntime.ai/docs/a.html"],
  ["mine/weights.bin does not match", "mine/weights.bin does not match"],
])("%s", (told, answered) => {
  expect(withoutPaths(told, "/srv/m/mine")).toBe(answered);
});

test("the folder's own path goes, also where it holds blanks or is a link", () => {
  const folder = join(temporaryFolder(), "my models");
  mkdirSync(folder);
  const link = join(temporaryFolder(), "link");
  symlinkSync(folder, link);
  expect(withoutPaths(`cannot map ${folder}/weights.bin or ${link}/weights`, link)).toBe(
    "cannot map weights.bin or weights",
  );
});
