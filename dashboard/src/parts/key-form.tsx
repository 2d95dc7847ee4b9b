import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../session.js";

/** Asks for the API key, which this tab keeps until it closes. */
export function KeyForm({ problem }: { readonly problem: string }): JSX.Element {
  const { hasKey, setKey } = useSession();
  const [given, give] = useState("");
  return (
    <form
      class="panel key"
      onSubmit={(event) => {
        event.preventDefault();
        setKey(given.trim());
      }}
    >
      <h2>This service asks for a key</h2>
      <label>
        API key
        <input
          type="password"
          autocomplete="off"
          required
          aria-describedby="key-hint"
          value={given}
          onInput={(event) => give(event.currentTarget.value)}
        />
      </label>
      <p id="key-hint" class="hint">
        One of ASSAY_API_KEYS. It stays in this tab and is forgotten when the tab closes.
      </p>
      {hasKey && <p role="alert">{problem}.</p>}
      <button type="submit" class="primary">
        Use this key
      </button>
    </form>
  );
}
