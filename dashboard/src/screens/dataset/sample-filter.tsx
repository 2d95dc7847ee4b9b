import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { inWords } from "../../format.js";
import { datasetLink, sampleLink } from "../../route.js";
import { rangeOf, readRange, type View } from "../../view.js";

interface SampleFilterProps {
  readonly dataset: string;
  readonly columns: readonly string[];
  readonly view: View;
  readonly open: (view: View) => void;
}

/** The form that says which samples are listed and in which order, and the one that opens a sample by its id. */
export function SampleFilter({ dataset, columns, view, open }: SampleFilterProps): JSX.Element {
  const column = view.sort.replace(/^-/, "");
  const given = readRange(view.range);

  function apply(event: SubmitEvent & { readonly currentTarget: HTMLFormElement }): void {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string): string => String(fields.get(name) ?? "").trim();
    open({
      sort: `${text("order") === "down" ? "-" : ""}${text("sort")}`,
      label: text("label"),
      source: text("source"),
      range: rangeOf(text("column"), text("min"), text("max")),
    });
  }

  return (
    <>
      <form class="filter" aria-label="Which samples" onSubmit={apply}>
        <ColumnChoice title="Sort by" name="sort" columns={columns} chosen={column} />
        <label>
          Order
          <select name="order" defaultValue={view.sort.startsWith("-") ? "down" : "up"}>
            <option value="down">largest first</option>
            <option value="up">smallest first</option>
          </select>
        </label>
        <label>
          Label
          <input name="label" inputMode="decimal" size={5} placeholder="any" defaultValue={view.label} />
        </label>
        <label>
          Source
          <input name="source" size={10} placeholder="any" defaultValue={view.source} />
        </label>
        <ColumnChoice title="Values of" name="column" columns={columns} chosen={given?.column ?? column} />
        <label>
          from
          <input name="min" inputMode="decimal" size={7} placeholder="any" defaultValue={given?.min ?? ""} />
        </label>
        <label>
          to
          <input name="max" inputMode="decimal" size={7} placeholder="any" defaultValue={given?.max ?? ""} />
        </label>
        <button type="submit" class="primary">
          Show
        </button>
        <a class="button" href={datasetLink(dataset)}>
          Reset
        </a>
      </form>
      <OpenById dataset={dataset} />
    </>
  );
}

interface ColumnChoiceProps {
  readonly title: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly chosen: string;
}

function ColumnChoice({ title, name, columns, chosen }: ColumnChoiceProps): JSX.Element {
  return (
    <label>
      {title}
      <select name={name} defaultValue={chosen}>
        {columns.map((column) => (
          <option key={column} value={column}>
            {inWords(column)}
          </option>
        ))}
      </select>
    </label>
  );
}

function OpenById({ dataset }: { readonly dataset: string }): JSX.Element {
  const [id, setId] = useState("");
  return (
    <form
      class="filter"
      aria-label="Open a sample"
      onSubmit={(event) => {
        event.preventDefault();
        location.hash = sampleLink(dataset, id);
      }}
    >
      <label>
        Sample id
        <input required value={id} onInput={(event) => setId(event.currentTarget.value)} />
      </label>
      <button type="submit">Open</button>
    </form>
  );
}
