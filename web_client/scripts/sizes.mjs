// What a first visit to each page costs, gzip; fails when a page passes its budget (a 2G link is the measure).
import { readFileSync, readdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 150_000;
const folder = resolve(dirname(fileURLToPath(import.meta.url)), "../../signalling/static");
const gzip = (file) => gzipSync(readFileSync(resolve(folder, file))).length;

let over = false;
for (const page of readdirSync(folder).filter((f) => f.endsWith(".html"))) {
  const files = new Set([page]);
  for (const file of files) {
    const text = /\.(html|js)$/.test(file) ? readFileSync(resolve(folder, file), "utf8") : "";
    for (const [, path] of text.matchAll(/(?:src|href)="\/([^"]+)"/g)) files.add(path);
    for (const [, path] of text.matchAll(/from\s*"\.\/([^"]+)"|import\s*"\.\/([^"]+)"/g)) if (path) files.add(`assets/${path}`);
  }
  const bytes = [...files].reduce((sum, file) => sum + gzip(file), 0);
  over ||= bytes > BUDGET_BYTES;
  console.log(`${page}: ${(bytes / 1000).toFixed(1)} kB gzip in ${files.size} files (budget ${BUDGET_BYTES / 1000} kB)`);
}
if (over) process.exit(1);
