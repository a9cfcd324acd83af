/**
 * Divides the program of a stage in two, for its second bundling: what each call needs, and what few calls need, its rare
 * part. The first bundling made a file of each module that is imported by import(), and of what such modules share; each file
 * takes half a millisecond to load.
 *
 * Arguments: the folder with the files of the first bundling, the name of the program, the names of the modules that each call
 * imports by import(). Changes the files, and writes the file `NAME-rare-HASH.js`. The hash is another one in each version:
 * a call that began before an upgrade must not load the rare part of the new version.
 */

import { createHash } from "node:crypto";

const [folder = "", program = "", ...always] = Deno.args;
const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const texts = new Map(names.map((name) => [name, Deno.readTextFileSync(`${folder}/${name}`)]));
const moduleOf = (file: string) => file.replace(/-[A-Z0-9]{8}\.js$/, "");

const unknown = always.filter((module) => !names.some((name) => moduleOf(name) === module));
if (unknown.length > 0) {
  throw new Error(`No module is imported by import() as ${unknown.join(", ")}`);
}

const ownText = Deno.readTextFileSync(import.meta.filename!);
const all = JSON.stringify([Deno.version, ownText, always, ...texts]);
const rare = `${program}-rare-${createHash("sha256").update(all).digest("hex").slice(0, 8)}.js`;

/** The exports of the rare part: what import() of each file of the first bundling gives. */
const exported = new Set<string>();
for (const [name, text] of texts) {
  const statements = new Set<string>();
  const divided = text.replaceAll(/\bimport\("\.\/([^"]+)"\)/g, (_, file: string) => {
    const exports = `_${file.replaceAll(/\W/g, "_")}`;
    if (always.includes(moduleOf(file))) {
      statements.add(`import * as ${exports} from "./${file}";\n`);
      return `Promise.resolve(${exports})`;
    }
    exported.add(`export * as ${exports} from "./${file}";\n`);
    // Deno would read the file of a literal path at each start.
    return `import(import.meta.resolve("./${rare}")).then((rare) => rare.${exports})`;
  });
  Deno.writeTextFileSync(`${folder}/${name}`, [...statements, divided].join(""));
}
Deno.writeTextFileSync(`${folder}/${rare}`, [...exported].join(""));
