import { resolve } from "node:path";
import { defineConfig } from "vite";

const page = (name: string): string => resolve(import.meta.dirname, `${name}.html`);

export default defineConfig({
  // Pages live at different depths (/theatre/ROOM), so everything they load is named from the root.
  base: "/",
  build: {
    outDir: "../signalling/static",
    emptyOutDir: true,
    target: ["chrome105", "firefox110", "safari16"],
    // Nothing inlined: the pages' Content-Security-Policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: page("index"), theatre: page("theatre"), consult: page("consult"), observe: page("observe"), review: page("review"), operations: page("operations") } },
  },
});
