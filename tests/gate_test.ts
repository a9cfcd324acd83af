/** Checks of the whole checkout that are no unit tests: `deno task ok` and tests/run.sh run them. */

import assert from "node:assert/strict";
import { run } from "./hosts/command.ts";
import { skip, skipReal } from "./skip.ts";

const checkout = new URL("..", import.meta.url).pathname;

/** The lowest line coverage of src by the unit tests, in percent, as root. Raise it when the coverage has grown. */
const COVERAGE_FLOOR = 94;

async function succeeds(...argv: string[]): Promise<string> {
  const env = { ...Deno.env.toObject(), DENO: Deno.execPath() };
  const { code, stdout, stderr } = await run(argv, { cwd: checkout, env });
  assert.equal(code, 0, `${argv.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

const deno = (...words: string[]) => succeeds(Deno.execPath(), ...words);

Deno.test("gate: all files are formatted", async () => {
  await deno("fmt", "--check");
});

Deno.test("gate: lint finds nothing", async () => {
  await deno("lint");
});

Deno.test("gate: all types are right", async () => {
  await deno("task", "check");
});

Deno.test("gate: the interface to the host is documented", async () => {
  await deno("task", "doc");
});

Deno.test("gate: the library can be published", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files = ["LICENSE", "README.md", "docs", "mod.ts", "npm", "src"];
    await succeeds("cp", "-R", ...files, folder);
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(await npmConfiguration()));
    const argv = [
      Deno.execPath(),
      "publish",
      "--dry-run",
      "--no-lock",
      "--allow-dirty",
      "--no-check",
    ];
    const done = await run(argv, { cwd: folder, env: Deno.env.toObject() });
    const said = `${done.stdout}${done.stderr}`;
    assert.equal(done.code, 0, said);
    assert.doesNotMatch(said, /^warning/im);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Returns deno.json with packages of npm instead of JSR, which this network may not reach. */
async function npmConfiguration(): Promise<unknown> {
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(checkout + path));
  const { imports } = await read("npm/import_map.json");
  const { publish, ...rest } = await read("deno.json");
  return {
    ...rest,
    publish: { include: [...publish.include, "npm"] },
    imports: Object.fromEntries(
      Object.entries<string>(imports).map(([name, to]) => [name, to.replace(/^\.\//, "./npm/")]),
    ),
  };
}

Deno.test("gate: shellcheck finds nothing", async () => {
  const name = "gate: shellcheck finds nothing";
  const { code } = await run(["sh", "-c", "command -v shellcheck"]);
  if (code !== 0) return skipReal(name, "shellcheck is not installed");
  const folders = [".ci", "bench", "npm", "packaging", "tests"];
  const found = await succeeds("find", "install.sh", ...folders, "-type", "f");
  const scripts = found.split("\n").filter((path) =>
    /\.sh$|^\.ci\/|^packaging\/[a-z]+\/p/.test(path)
  );
  assert.ok(scripts.includes("tests/run.sh"), found);
  await succeeds("shellcheck", "--external-sources", ...scripts);
});

Deno.test("gate: unit tests cover the lines of src", async () => {
  const name = "gate: unit tests cover the lines of src";
  if (Deno.uid() !== 0) return skip(name, "not root, as some unit tests need");
  const profile = Deno.env.get("NSPAWN_RUNNER_COVERAGE");
  if (profile === undefined) return skip(name, "only a run of all unit tests measures coverage");
  const table = await deno("coverage", "--include=src", profile);
  const lines = Number(table.match(/^\| All files .*\| +([\d.]+) \|$/m)?.[1]);
  assert.ok(
    lines >= COVERAGE_FLOOR,
    `${lines} % of lines, less than ${COVERAGE_FLOOR} %\n${table}`,
  );
});

/** The most that a call of the executable may load, in bytes: it compiles all of it, in 3 ms for 100 kB. Lower it where less is loaded. */
const LOADED: Readonly<
  Record<string, { readonly modules: readonly string[]; readonly limit: number }>
> = {
  "every call": { modules: [], limit: 24_500 },
  config: { modules: ["gitlab_config", "load"], limit: 64_000 },
  prepare: { modules: ["prepare", "start_unit"], limit: 192_200 },
  run: { modules: ["run"], limit: 56_900 },
  cleanup: { modules: ["cleanup", "end_of_job", "draft_record"], limit: 79_900 },
};

Deno.test("gate: calls of a job load no more than they need", async () => {
  await withBundle("executable", async (folder) => {
    const files = await filesIn(folder);
    const excess = Object.entries(LOADED).map(([call, { modules, limit }]) =>
      [
        call,
        bytesLoaded(files, ["entry.js", ...modules.map((module) => chunkOf(files, module))]),
        limit,
      ] as const
    ).filter(([, bytes, limit]) => bytes > limit);
    assert.deepEqual(excess, []);
  });
});

/** The most bytes that a program of the script may load at each start, with its code cache: 1 ms for 50 kB. */
const SCRIPT_LIMITS: Readonly<Record<string, number>> = {
  "cleanup.js": 64_300,
  "gitlab-config.js": 72_700,
  "prepare.js": 192_000,
  "run.js": 71_800,
  "start.js": 6_000,
};

Deno.test("gate: the programs of the script load no more for calls of a job than they need", async () => {
  await withBundle("script", async (folder) => {
    const files = await filesIn(folder);
    const excess = Object.entries(SCRIPT_LIMITS).map(([program, limit]) =>
      [program, bytesLoaded(files, [program]), limit] as const
    ).filter(([, bytes, limit]) => bytes > limit);
    assert.deepEqual(excess, []);
  });
});

Deno.test("gate: the programs of the script find all of their parts", async () => {
  await withBundle("script", async (folder) => {
    const files = await filesIn(folder);
    const loaded = ["all.js", ...Object.keys(SCRIPT_LIMITS)].map((program) =>
      namesLoaded(files, [program])
    );
    const rare = [...files].flatMap(([, text]) =>
      [...text.matchAll(/import\(import\.meta\.resolve\("\.\/([^"]+)"\)\)/g)].map(([, name]) =>
        name!
      )
    );
    assert.equal(new Set(rare).size, 4, "one for each stage");
    const reached = new Set([...loaded, namesLoaded(files, rare)].flatMap((names) => [...names]));
    assert.deepEqual([...files.keys()].filter((name) => !reached.has(name)), []);
  });
});

/** A program would import these modules at each start: Node's part of Deno takes 13 ms. */
Deno.test("gate: no module of Node is loaded before a command needs it", async () => {
  await withBundle("executable", async (folder) => {
    const importing = [...await filesIn(folder)]
      .filter(([, text]) => /\b(?:from|import)"node:/.test(text));
    assert.deepEqual(importing.map(([name]) => name), []);
  });
});

Deno.test("gate: the installer, the task and the benchmark give V8 of the executable the same options", async () => {
  const texts = await Promise.all(
    ["install.sh", "deno.json", "bench/forms.ts"].map((path) => Deno.readTextFile(checkout + path)),
  );
  const options = texts.map((text) => text.match(/--v8-flags=[\w,=-]*/)?.[0]);
  assert.ok(options[0] !== undefined);
  assert.deepEqual(options, options.map(() => options[0]));
});

/** Bundles the program in a form, and removes it after the test. */
async function withBundle(form: "script" | "executable", act: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await deno("task", "bundle", form, folder);
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Returns the text of each file of a folder by its name. */
async function filesIn(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    files.set(name, await Deno.readTextFile(`${folder}/${name}`));
  }
  return files;
}

/** Returns the size of files and of all that they import. */
function bytesLoaded(files: ReadonlyMap<string, string>, names: readonly string[]): number {
  return [...namesLoaded(files, names)].reduce((sum, name) => sum + files.get(name)!.length, 0);
}

/** Returns the names of files and of all that they import; a file that is missing fails the test. */
function namesLoaded(files: ReadonlyMap<string, string>, names: readonly string[]): Set<string> {
  const loaded = new Set(names);
  for (const name of loaded) {
    const text = files.get(name);
    assert.ok(text !== undefined, `${name} is missing`);
    const imports = text.matchAll(/(?:from|import)"\.\/([^"]+)"/g);
    for (const [, imported] of imports) loaded.add(imported!);
  }
  return loaded;
}

/** Returns the name of the file that a dynamic import of a module loads. */
function chunkOf(files: ReadonlyMap<string, string>, module: string): string {
  const [name, ...others] = [...files.keys()].filter((file) =>
    file.replace(/-[A-Z0-9]{8}\.js$/, "") === module
  );
  assert.ok(name !== undefined && others.length === 0, `no chunk, or several, of ${module}`);
  return name;
}
