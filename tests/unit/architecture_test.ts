/** Checks the imports of src/ against the table of folders in docs/architecture.md, and tests/unit against src/. */

import assert from "node:assert/strict";
import { dirname, join } from "@std/path/posix";
import { CHECKOUT, modulesBelow } from "./source.ts";

/** Each file of src/ with the files that it imports to the checkout. */
const IMPORTS = new Map<string, readonly string[]>();
for (const file of modulesBelow("src")) IMPORTS.set(file, importsOf(file));

/** The folders of the table, lowest first. */
const ROWS = [
  ...Deno.readTextFileSync(`${CHECKOUT}docs/architecture.md`)
    .matchAll(/^\| `(src[^`]*)` +\|/gm),
].map(([, folder]) => folder!);

/** Every relative path to a module counts, except in JSDoc: imports, dynamic ones, exports and types. */
function importsOf(file: string): string[] {
  const code = Deno.readTextFileSync(CHECKOUT + file).replace(/^ *\*.*$/gm, "");
  const paths = code.matchAll(/["'`](\.{1,2}\/[^"'`\s]*\.ts)["'`]/g);
  return [...paths].map(([, path]) => join(dirname(file), path!));
}

/** Returns the shortest way along the imports from a file back to itself; null where there is none. */
function cycleFrom(start: string): string[] | null {
  const ways: string[][] = [[start]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const next of IMPORTS.get(way.at(-1)!) ?? []) {
      if (next === start) return [...way, start];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return null;
}

Deno.test("every import of src/ leads to a file of src/", () => {
  const wrong = [...IMPORTS].flatMap(([file, imports]) =>
    imports.filter((path) => !IMPORTS.has(path)).map((path) => `${file} imports ${path}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("no import of src/ goes down the table of folders in docs/architecture.md", () => {
  const wrong = [...IMPORTS].flatMap(([file, imports]) =>
    imports.filter((path) => ROWS.indexOf(dirname(path)) > ROWS.indexOf(dirname(file)))
      .map((path) => `${file} imports ${path}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("no files of src/ form a cycle of imports", () => {
  const cycles = [...IMPORTS.keys()].map(cycleFrom).filter((way) => way !== null);
  const shortest = cycles.toSorted((a, b) => a.length - b.length)[0] ?? [];
  assert.deepEqual(shortest, []);
});

Deno.test("the table of folders in docs/architecture.md has the folders of src/, each once", () => {
  const folders = new Set([...IMPORTS.keys()].map(dirname));
  assert.deepEqual(ROWS.toSorted(), [...folders].sort());
});

Deno.test("each test of a folder of tests/unit is named after a file of the same folder of src/", () => {
  const tests = modulesBelow("tests/unit").filter((file) => file.endsWith("_test.ts"))
    .filter((file) => dirname(file) !== "tests/unit" && !file.startsWith("tests/unit/routes/"));
  const wrong = tests.filter((file) =>
    !IMPORTS.has(file.replace(/^tests\/unit/, "src").replace(/_test\.ts$/, ".ts"))
  );
  assert.deepEqual(wrong, []);
});
