import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { inWords } from "../../format.js";
import { datasetLink, sampleLink } from "../../route.js";
import { queryOf, rangeOf, readRange, type View } from "../../view.js";

interface SampleFilterProps {
  readonly dataset: string;
  readonly columns: readonly string[];
  readonly view: View;
  readonly open: (view: View) => void;
}

/** What is typed into the form. */
interface Draft {
  readonly sort: string;
  readonly order: string;
  readonly label: string;
  readonly source: string;
  readonly column: string;
  readonly min: string;
  readonly max: string;
}

/** The form that says which samples are listed and in which order, and the one that opens a sample by its id. */
export function SampleFilter({ dataset, columns, view, open }: SampleFilterProps): JSX.Element {
  const [draft, setDraft] = useState(draftOf(view));
  const query = queryOf(view);
  useEffect(() => setDraft(draftOf(view)), [query]);
  const take =
    (name: keyof Draft) =>
    ({ currentTarget }: { readonly currentTarget: { readonly value: string } }): void =>
      setDraft((before) => ({ ...before, [name]: currentTarget.value }));

  return (
    <>
      <form
        class="filter"
        aria-label="Which samples"
        onSubmit={(event) => {
          event.preventDefault();
          open(viewOf(draft));
        }}
      >
        <label>
          Sort by
          <select value={draft.sort} onChange={take("sort")}>
            <Options columns={columns} />
          </select>
        </label>
        <label>
          Order
          <select value={draft.order} onChange={take("order")}>
            <option value="-">largest first</option>
            <option value="">smallest first</option>
          </select>
        </label>
        <label>
          Label
          <input inputMode="decimal" size={5} placeholder="any" value={draft.label} onInput={take("label")} />
        </label>
        <label>
          Source
          <input size={10} placeholder="any" value={draft.source} onInput={take("source")} />
        </label>
        <label>
          Values of
          <select value={draft.column} onChange={take("column")}>
            <Options columns={columns} />
          </select>
        </label>
        <label>
          from
          <input inputMode="decimal" size={7} placeholder="any" value={draft.min} onInput={take("min")} />
        </label>
        <label>
          to
          <input inputMode="decimal" size={7} placeholder="any" value={draft.max} onInput={take("max")} />
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

function Options({ columns }: { readonly columns: readonly string[] }): JSX.Element {
  return (
    <>
      {columns.map((column) => (
        <option key={column} value={column}>
          {inWords(column)}
        </option>
      ))}
    </>
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

function draftOf({ sort, label, source, range }: View): Draft {
  const column = sort.replace(/^-/, "");
  const { column: ranged, min, max } = readRange(range) ?? { column, min: "", max: "" };
  return { sort: column, order: sort.startsWith("-") ? "-" : "", label, source, column: ranged, min, max };
}

function viewOf({ sort, order, label, source, column, min, max }: Draft): View {
  return {
    sort: `${order}${sort}`,
    label: label.trim(),
    source: source.trim(),
    range: rangeOf(column, min, max),
  };
}
