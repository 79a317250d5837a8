/** A state by word, shape and colour: any two of them may fail. */
import { words } from "../i18n";
import type { BoardRow } from "./model.generated";

/** Told apart without colour: triangle, diamond, disc, ring. */
const SHAPES: Record<BoardRow["state"], string> = {
  hurt: "M12 2 23 21H1z", watch: "M12 1 23 12 12 23 1 12z", good: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20",
  unknown: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20m0 4a6 6 0 1 1 0 12 6 6 0 0 1 0-12",
};

export function StateBadge({ state }: { state: BoardRow["state"] }) {
  return (
    <span class="state" data-state={state}>
      <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d={SHAPES[state]} /></svg>
      {words.value.operations.states[state]}
    </span>
  );
}
