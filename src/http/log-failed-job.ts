import type { AssayError } from "../errors.js";
import type { Job } from "../jobs/port.js";
import type { Logger } from "../observe/log.js";
import { STATUS } from "./problems.js";

/**
 * Logs the error of a job. What a request did wrong is told with its code alone, because the reason may contain ids of samples and
 * belongs to the client. Only an unexpected error has a stack trace.
 */
export function logFailedJob(logger: Logger): (job: Job, error: AssayError) => void {
  return ({ id, kind, dataset }, error) => {
    const failed = { job: id, kind, dataset, code: error.code };
    if (STATUS[error.code] < 500) logger.info(failed, "a job was refused");
    else if (error.code === "internal") logger.error({ ...failed, err: error }, "a job failed");
    else logger.warn({ ...failed, reason: error.message }, "a job failed");
  };
}
