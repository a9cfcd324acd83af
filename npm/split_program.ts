/**
 * Divides the program of a stage into a file with what each call needs, and one with the rest, for its second bundling. The
 * first bundling made a file of each module that is imported by import(), and of what such modules share; each file takes
 * half a millisecond to load.
 *
 * Arguments: the folder with the files of the first bundling, the name of the program, the names of the modules that each call
 * imports by import(). Changes the files, and writes the file `NAME-rare-HASH.js`. Its name tells it from that of another
 * version, which may replace this one while a script runs.
 */

import { createHash } from "node:crypto";

const [folder = "", program = "", ...always] = Deno.args;
const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const texts = new Map(names.map((name) => [name, Deno.readTextFileSync(`${folder}/${name}`)]));
const hash = createHash("sha256").update([...texts.values()].join("")).digest("hex").slice(0, 8);
const rare = `${program}-rare-${hash}.js`;

/** The exports of the last file: what import() of each file of the first bundling gives. */
const exported = new Set<string>();
for (const [name, text] of texts) {
  const statements = new Set<string>();
  const divided = text.replaceAll(/\bimport\("\.\/([^"]+)"\)/g, (_, file: string) => {
    const part = `_${file.replaceAll(/\W/g, "_")}`;
    if (always.includes(file.replace(/-[A-Z0-9]{8}\.js$/, ""))) {
      statements.add(`import * as ${part} from "./${file}";\n`);
      return `Promise.resolve(${part})`;
    }
    exported.add(`export * as ${part} from "./${file}";\n`);
    // Deno would read the file of a literal path at each start.
    return `import(import.meta.resolve("./${rare}")).then((rare) => rare.${part})`;
  });
  Deno.writeTextFileSync(`${folder}/${name}`, [...statements, divided].join(""));
}
Deno.writeTextFileSync(`${folder}/${rare}`, [...exported].join(""));
