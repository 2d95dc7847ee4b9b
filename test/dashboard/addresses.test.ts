import { describe, expect, it } from "vitest";
import { datasetLink, readRoute, sampleLink } from "../../dashboard/src/route.js";
import { FIRST_VIEW, queryOf, rangeOf, readRange, readView } from "../../dashboard/src/view.js";

describe("an address of the dashboard", () => {
  it("leads to the screen that it names", () => {
    expect(readRoute("")).toEqual({ screen: "now" });
    expect(readRoute("#/")).toEqual({ screen: "now" });
    expect(readRoute("#/models")).toEqual({ screen: "models" });
    expect(readRoute("#/datasets/d?sort=-loss&label=1")).toEqual({
      screen: "dataset",
      dataset: "d",
      view: "sort=-loss&label=1",
    });
  });

  it.each(["q1:p9", "a/b?c#d%", "ä 漢", "samples"])("leads back to the sample %s", (id) => {
    expect(readRoute(sampleLink("my data", id))).toEqual({ screen: "sample", dataset: "my data", id });
  });

  it.each(["#/nothing", "#/datasets/d/other/x", "#/datasets/d/samples/x/y", "#/datasets/%zz", "#/models/x"])(
    "%s is unknown",
    (hash) => {
      expect(readRoute(hash).screen).toBe("unknown");
    },
  );

  it("keeps which samples are shown", () => {
    const view = { sort: "extras.price", label: "0", source: "click log", range: "loss:1..2.5" };
    const route = readRoute(datasetLink("d", queryOf(view)));
    expect(route.screen === "dataset" && readView(route.view)).toEqual(view);
    expect(readView("")).toEqual(FIRST_VIEW);
  });

  it("has ranges with open ends", () => {
    expect(rangeOf("loss", " 1 ", "")).toBe("loss:1..");
    expect(rangeOf("loss", "", " ")).toBe("");
    expect(readRange("loss:..-2.5")).toEqual({ column: "loss", min: "", max: "-2.5" });
    expect(readRange("loss")).toBeNull();
  });
});
