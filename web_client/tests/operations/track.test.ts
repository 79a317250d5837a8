import type { ComponentChildren, VNode } from "preact";
import { describe, expect, it, vi } from "vitest";
import { operations as en } from "../../src/i18n/operations/en";
import { operations as vietnamese } from "../../src/i18n/operations/vi";
import type { SourceSample, ViewSample } from "../../src/operations/model.generated";

// The words name their language in the document; nothing else of a browser is needed to write a line.
vi.stubGlobal("document", { documentElement: {} });
const { SourceLine, ViewLine } = await import("../../src/operations/track");

/** Every element below a node, itself included, as written: components are not unfolded. */
function elements(node: ComponentChildren): VNode<Record<string, unknown>>[] {
  if (Array.isArray(node)) return node.flatMap(elements);
  if (node === null || typeof node !== "object" || !("props" in node)) return [];
  const element = node as VNode<Record<string, unknown>>;
  return [element, ...elements(element.props.children)];
}

const camera: SourceSample = { publication: "scope", kind: "video", source_type: "endoscope" };

const unseen = { lookedSeconds: null, thumbnails: false };

describe("the limit of a source", () => {
  it.each([[undefined, ""], [null, ""], [0, 0], [3, 3]])("%s in force is the choice shown", (layer, shown) => {
    const line = SourceLine({ room: "r", participant: "p", source: { ...camera, ...(layer === undefined ? {} : { top_layer: layer }) }, ...unseen });
    const found = elements(line);
    const field = found.find((one) => one.type === "select");
    expect(field?.props["value"]).toBe(shown);
    expect(found.filter((one) => one.type === "option").map((one) => one.props["value"])).toContain(shown);
  });
});

describe("a picture of a source", () => {
  const { actions, looked } = vietnamese;
  const line = (source: SourceSample, thumbnails: boolean, lookedSeconds: number | null): string =>
    elements(SourceLine({ room: "r", participant: "p", source, lookedSeconds, thumbnails }))
      .flatMap((e) => [e.props["word"], e.props["children"]]).filter((one) => typeof one === "string").join();

  it("can be asked for where the server has it on, of pictures", () => {
    expect(line(camera, true, null)).toContain(actions.thumbnail);
    expect(line(camera, false, null)).not.toContain(actions.thumbnail);
    expect(line({ ...camera, kind: "audio" }, true, null)).not.toContain(actions.thumbnail);
  });

  it("was checked so long ago", () => {
    expect(line(camera, false, 4.4)).toContain(looked(4.4));
    expect(line(camera, false, null)).not.toContain(looked(0));
  });
});

describe("what a viewer gets", () => {
  const view: ViewSample = { publication: "scope", kind: "video", state: "forwarding", layer: 0 };
  const text = (one: ViewSample): string =>
    elements(ViewLine({ room: "r", participant: "p", view: one })).flatMap((e) => e.props["children"]).filter((c) => typeof c === "string").join("");

  it("is said with the reason why it is no more, where one is known", () => {
    expect(text({ ...view, reason: "link" })).toContain(vietnamese.viewReasons.link);
    expect(Object.values(vietnamese.viewReasons).filter((reason) => text(view).includes(reason))).toEqual([]);
  });

  it("has a reason of its own words in both languages", () => {
    for (const { viewReasons } of [vietnamese, en]) expect(new Set(Object.values(viewReasons)).size).toBe(12);
  });
});
