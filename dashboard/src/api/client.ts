/** Why a request has no answer. `status` and `code` are those of the API's problem; null if the service could not be reached. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(
    message: string,
    readonly status: number | null,
    readonly code: string | null,
    /** The message of each fault of what was sent. */
    readonly faults: readonly string[] = [],
  ) {
    super(message);
  }
}

export interface Client {
  /** GET, as JSON. Throws `RequestError`; also for 503, unless `accept` names the status. */
  read<T>(path: string, signal: AbortSignal, accept?: readonly number[]): Promise<T>;
  readText(path: string, signal: AbortSignal): Promise<string>;
  post<T>(path: string, body: unknown, signal: AbortSignal): Promise<T>;
}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly faults?: readonly { readonly path: string; readonly message: string }[];
}

/** Speaks to the service at `base` with a key, or without one if it is empty. */
export function createClient(base: string, key: string, send: typeof fetch = fetch): Client {
  async function ask(path: string, init: RequestInit, accept: readonly number[]): Promise<string> {
    const headers = new Headers(init.headers);
    if (key !== "") headers.set("authorization", `Bearer ${key}`);
    const response = await send(new URL(path, base), { ...init, headers }).catch((error: unknown) => {
      if (init.signal?.aborted) throw error;
      throw new RequestError("The service does not answer. Is it running?", null, null);
    });
    const text = await response.text();
    if (response.ok || accept.includes(response.status)) return text;
    throw problemOf(response.status, text);
  }

  return {
    async read<T>(path: string, signal: AbortSignal, accept: readonly number[] = []) {
      const answer: T = JSON.parse(await ask(path, { signal }, accept));
      return answer;
    },
    readText: (path, signal) => ask(path, { signal }, []),
    async post<T>(path: string, body: unknown, signal: AbortSignal) {
      const headers = { "content-type": "application/json" };
      const answer: T = JSON.parse(
        await ask(path, { method: "POST", headers, body: JSON.stringify(body), signal }, []),
      );
      return answer;
    },
  };
}

function problemOf(status: number, text: string): RequestError {
  const { title, detail, code, faults = [] } = readProblem(text);
  const message = detail ?? title ?? `The service answered with status ${status}`;
  return new RequestError(
    message,
    status,
    code ?? null,
    faults.map((fault) => `${fault.path} ${fault.message}`),
  );
}

/** A proxy may answer a page of its own in place of a problem. */
function readProblem(text: string): Problem {
  try {
    const problem: Problem = JSON.parse(text);
    return problem;
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
