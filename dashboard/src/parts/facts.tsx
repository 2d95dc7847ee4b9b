import type { ComponentChildren, JSX } from "preact";

export interface Fact {
  readonly name: string;
  readonly value: ComponentChildren;
  /** A few words under the value. */
  readonly note?: ComponentChildren;
}

/** Figures side by side, each with its name. */
export function Facts({ facts }: { readonly facts: readonly Fact[] }): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(({ name, value, note }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          {note !== undefined && <dd class="hint">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}
