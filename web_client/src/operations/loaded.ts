/** What is asked for once, when a part of the page opens or asks for something else. */
import { useEffect, useState } from "preact/hooks";
import { codeOfFailure } from "./api";

/** Both null: it is under way. */
export interface Loaded<T> {
  value: T | null;
  /** The code of what went wrong. */
  failed: string | null;
}

/** Loads anew whenever one of `asked` changes; an answer that comes after that is dropped. */
export function useLoaded<T>(load: () => Promise<T>, asked: readonly unknown[]): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, failed: null });
  useEffect(() => {
    let over = false;
    const set = (next: Loaded<T>): void => { if (!over) setLoaded(next); };
    set({ value: null, failed: null });
    load().then((value) => set({ value, failed: null }), (error: unknown) => set({ value: null, failed: codeOfFailure(error) }));
    return () => { over = true; };
  }, asked);
  return loaded;
}
