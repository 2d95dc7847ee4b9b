import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { messageOf } from "../../../errors.js";

/** Says what is missing, given the error message of opening a session on a CUDA device. */
export function cudaFailure(message: string): string {
  const cuda = /CUDA failure \d+: ([^;]+)/.exec(message)?.[1];
  if (cuda !== undefined) return `CUDA: ${cuda.trim()}`;
  if (!message.includes("Failed to load shared library")) return message;
  return missingLibrary();
}

/** ONNX Runtime says only that its CUDA provider did not load. Loading the provider directly tells which library is missing. */
function missingLibrary(): string {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const folder = join(root, "bin", "napi-v6", process.platform, process.arch);
  const provider = join(folder, "libonnxruntime_providers_cuda.so");
  try {
    process.dlopen({ exports: {} }, provider, constants.dlopen.RTLD_LAZY);
  } catch (error) {
    const library = /^([^:]+): cannot open shared object file/.exec(messageOf(error))?.[1];
    if (library === "libcuda.so.1") return "no NVIDIA driver: the library libcuda.so.1 is missing";
    if (library !== undefined && library !== provider) return `the CUDA library ${library} is missing`;
  }
  return "this installation has no CUDA provider of ONNX Runtime (see docs/gpu.md)";
}
