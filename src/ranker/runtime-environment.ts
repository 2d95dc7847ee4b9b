/**
 * Environment of every process of ours that loads ONNX Runtime, whatever the user's says. Since 1.30 the library collects
 * telemetry unless this is in the process's own environment when its first session opens: it writes `mat-debug-PID.log` to
 * the temporary folder and a database of events to `~/.cache/Microsoft`, and sends them to Microsoft.
 */
export const RUNTIME_ENVIRONMENT = { ORT_DISABLE_TELEMETRY: "1" };
