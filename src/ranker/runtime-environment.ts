/**
 * Environment of every process of ours that loads ONNX Runtime. It overrides the user's environment. Since 1.30 the library
 * collects telemetry unless this variable is in the process's own environment when the first session opens. It writes
 * `mat-debug-PID.log` to the temporary folder and a database of events to `~/.cache/Microsoft`, and sends them to Microsoft.
 */
export const RUNTIME_ENVIRONMENT = { ORT_DISABLE_TELEMETRY: "1" };
