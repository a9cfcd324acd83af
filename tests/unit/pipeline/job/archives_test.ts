import assert from "node:assert/strict";
import {
  type ArchivedFiles,
  archiveLines,
  printFilesLines,
  unpackLine,
} from "../../../../src/pipeline/job/archives.ts";
import { stageScript } from "../../../../src/gitlab/runner_job.ts";
import { inFolder } from "../../recording_host.ts";
import { variablesFor } from "./fixture.ts";

/** The shells that run the scripts; for busybox, its programs for a shell that would take its own. */
const SHELLS = ["bash", "dash", "busybox"].filter((name) =>
  name !== "busybox" ||
  new Deno.Command("sh", { args: ["-c", "command -v busybox"] }).outputSync().success
);

const FILES = [
  "a.txt",
  "d/b.txt",
  "d/e/c.log",
  "d/e/ü x.txt",
  ".hidden/h.txt",
  "n+(1).txt",
  "two\nlines.txt",
];

/** Archives files of a folder with these names, and returns what the archive has. */
async function archived(
  shell: string,
  files: Partial<ArchivedFiles>,
  names: readonly string[] = FILES,
): Promise<{ found: string[]; stderr: string }> {
  let result = { found: [] as string[], stderr: "" };
  await inFolder(async (folder) => {
    const project = `${folder}/group/project`;
    for (const name of names) {
      await Deno.mkdir(`${project}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${project}/${name}`, name);
    }
    await Deno.mkdir(`${project}.tmp`);
    const variables = variablesFor({ EXT: "txt" }, [], folder);
    const all = { paths: [], exclude: [], untracked: false, ...files };
    const lines = [
      `export RUNNER_TEMP_PROJECT_DIR='${project}.tmp'`,
      `cd '${project}'`,
      ...archiveLines("tar", all, variables),
    ];
    const { stdout, stderr } = await runIn(shell, folder, lines);
    await Deno.writeFile(`${folder}/archive`, stdout);
    if (stdout.length > 0) {
      await Deno.mkdir(`${folder}/out`);
      await runIn(shell, folder, [`cd '${folder}/out'`, unpackLine("tar", `${folder}/archive`)]);
    }
    const list = new Deno.Command("find", {
      args: [`${folder}/out`, "-type", "f", "-printf", "%P\\0"],
    });
    const out = new TextDecoder().decode((await list.output()).stdout);
    result = { found: out.split("\0").slice(0, -1).sort(), stderr };
  });
  return result;
}

async function runIn(shell: string, folder: string, lines: readonly string[]) {
  const path = `${folder}/script`;
  await Deno.writeTextFile(path, stageScript(lines.join("\n"), "sh"));
  const own = shell === "busybox" ? await busyboxPrograms(folder) : {};
  const { code, stdout, stderr } = await new Deno.Command(shell === "busybox" ? "dash" : shell, {
    args: [path],
    env: own,
  }).output();
  const messages = new TextDecoder().decode(stderr);
  assert.equal(code, 0, messages);
  return { stdout, stderr: messages };
}

/** Programs of busybox take the place of GNU's, but for tar, which lacks -T in the busybox of Debian. */
async function busyboxPrograms(folder: string): Promise<Record<string, string>> {
  const names = "find sort tr xargs wc cat rm head";
  const script =
    `mkdir -p "$1" && for name in ${names}; do ln -sf "$(command -v busybox)" "$1/$name"; done`;
  await new Deno.Command("sh", { args: ["-c", script, "sh", `${folder}/bin`] }).output();
  return { PATH: `${folder}/bin:${Deno.env.get("PATH")}` };
}

/** Patterns, and the files that they mean. */
const PATTERNS: readonly (readonly [pattern: string, files: readonly string[]])[] = [
  ["d/", ["d/b.txt", "d/e/c.log", "d/e/ü x.txt"]],
  ["*.txt", ["a.txt", "n+(1).txt", "two\nlines.txt"]],
  ["**/*.$EXT", [
    ".hidden/h.txt",
    "a.txt",
    "d/b.txt",
    "d/e/ü x.txt",
    "n+(1).txt",
    "two\nlines.txt",
  ]],
  ["d/*", ["d/b.txt", "d/e/c.log", "d/e/ü x.txt"]],
  ["d/**/c.*", ["d/e/c.log"]],
  ["d/e/?\ x.txt", ["d/e/ü x.txt"]],
  ["[ab].txt", ["a.txt"]],
  ["[!b]*.txt", ["a.txt", "n+(1).txt", "two\nlines.txt"]],
  ["{a,d/b}.txt", ["a.txt", "d/b.txt"]],
  ["n+(1).txt", ["n+(1).txt"]],
  ["./d/../a.txt", ["a.txt"]],
  ["$CI_PROJECT_DIR/a.txt", ["a.txt"]],
  ["../project.tmp", []],
  ["/etc/passwd", []],
  ["missing", []],
  ["", []],
  [".", FILES],
];

for (const shell of SHELLS) {
  Deno.test(`archiveLines() archives what patterns mean, by ${shell}`, async () => {
    for (const [pattern, files] of PATTERNS) {
      const { found, stderr } = await archived(shell, { paths: [pattern] });
      assert.deepEqual(found, files.toSorted(), `${pattern}: ${stderr}`);
      if (files.length === 0) assert.match(stderr, /WARNING: .*(no matching files|not a path)/);
    }
  });

  Deno.test(`archiveLines() excludes files, but not what is in a folder, by ${shell}`, async () => {
    const plain = ["d/a", "d/b.log", "d/e/c.log", "d/e/f"];
    const without = async (...exclude: string[]) =>
      (await archived(shell, { paths: ["d"], exclude }, plain)).found;
    assert.deepEqual(await without("d/*.log"), ["d/a", "d/e/c.log", "d/e/f"]);
    assert.deepEqual(await without("d/e/"), plain);
    assert.deepEqual(await without("d/e/**/*"), ["d/a", "d/b.log"]);
    assert.deepEqual(await without("**/*.log", "d/a"), ["d/e/f"]);
  });
}

Deno.test("archiveLines() archives untracked files, ignored ones as well", async () => {
  await inFolder(async (folder) => {
    const project = `${folder}/group/project`;
    const variables = variablesFor({}, [], folder);
    const setup = `mkdir -p '${project}/x' '${project}.tmp'; cd '${project}'
export RUNNER_TEMP_PROJECT_DIR='${project}.tmp'
git init -q; echo x >tracked; echo ignored >.gitignore; git add .
touch ignored 'x/-odd name' x/skipped`;
    const files = { paths: ["x/"], exclude: ["**/skipped"], untracked: true };
    const { stdout } = await runIn("bash", folder, [
      setup,
      ...archiveLines("tar", files, variables),
    ]);
    await Deno.writeFile(`${folder}/archive`, stdout);
    const list = await new Deno.Command("tar", { args: ["-tf", `${folder}/archive`] }).output();
    assert.deepEqual(new TextDecoder().decode(list.stdout).split("\n"), [
      "./ignored",
      "./x/",
      "./x/-odd name",
      "",
    ]);
  });
});

Deno.test("archiveLines() calls gitlab-runner where the host has it", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/group/project.tmp`, { recursive: true });
    await Deno.writeTextFile(
      `${folder}/gitlab-runner`,
      '#!/bin/sh\necho message\nprintf "%s\\n" "$@" >"$3"\n',
      { mode: 0o755 },
    );
    const files = { paths: ["a b", "$X"], exclude: ["c"], untracked: true };
    const variables = variablesFor({ X: "x" }, [], folder);
    const { stdout, stderr } = await runIn("bash", folder, [
      `PATH='${folder}':$PATH`,
      ...archiveLines("gitlab-runner", files, variables),
    ]);
    const file = `${folder}/group/project.tmp/archive.zip`;
    const words = ["cache-archiver", "--file", file, "--path", "a b", "--path", "x"];
    assert.deepEqual(new TextDecoder().decode(stdout).split("\n"), [
      ...words,
      ...["--exclude", "c", "--untracked", ""],
    ]);
    assert.equal(stderr, "message\n");
    await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
  });
});

Deno.test("printFilesLines() prints files that exist", async () => {
  await inFolder(async (folder) => {
    const variables = variablesFor({}, [], folder);
    await Deno.mkdir(`${folder}/group/project`, { recursive: true });
    await Deno.writeTextFile(`${folder}/group/project/a.env`, "A=1\n");
    const lines = printFilesLines(["none", "*.env", "/etc/passwd"], variables);
    const { stdout } = await runIn("dash", folder, [`cd '${folder}/group/project'`, ...lines]);
    assert.equal(new TextDecoder().decode(stdout), "A=1\n");
  });
});
