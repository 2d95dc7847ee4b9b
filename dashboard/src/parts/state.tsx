import type { ComponentChildren, JSX } from "preact";
import { RequestError } from "../api/client.js";
import type { Answer } from "../use-answer.js";
import { KeyForm } from "./key-form.js";

interface StateProps<T> {
  readonly answer: Answer<T>;
  /** What is awaited, as in "Reading the models". */
  readonly what: string;
  readonly children: (value: T) => ComponentChildren;
}

/** Shows an answer, or why it is not there: still loading, slow, without a key, or failed. */
export function State<T>({ answer, what, children }: StateProps<T>): JSX.Element {
  const { value, error, isLoading, isSlow, again } = answer;
  if (error instanceof RequestError && error.status === 401) return <KeyForm problem={error.message} />;
  return (
    <>
      {error !== null && <Failure error={error} again={again} isOld={value !== null} />}
      {value === null && isLoading && (
        <p class="loading" role="status">
          {what}…{isSlow && " The service takes longer than usual; the page keeps waiting."}
        </p>
      )}
      {value !== null && children(value)}
    </>
  );
}

interface FailureProps {
  readonly error: Error;
  readonly again: () => void;
  /** True if what the page shows is from before the failure. */
  readonly isOld: boolean;
}

function Failure({ error, again, isOld }: FailureProps): JSX.Element {
  const faults = error instanceof RequestError ? error.faults : [];
  return (
    <div class="failure" role="alert">
      <p>
        {error.message}
        {isOld && " What is shown is from before."}
      </p>
      {faults.length > 0 && (
        <ul>
          {faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
      <button type="button" onClick={again}>
        Try again
      </button>
    </div>
  );
}

export function Empty({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <div class="empty">{children}</div>;
}
