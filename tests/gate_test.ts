/** Checks of the whole checkout that are no unit tests: `deno task ok` and tests/run.sh run them. */

import assert from "node:assert/strict";
import { run } from "./hosts/command.ts";
import { skip, skipReal } from "./skip.ts";

const checkout = new URL("..", import.meta.url).pathname;

/** The lowest line coverage of src by the unit tests, in percent, as root. Raise it when the coverage has grown. */
const COVERAGE_FLOOR = 94;

async function succeeds(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(argv, { cwd: checkout, env: Deno.env.toObject() });
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

Deno.test("gate: shellcheck finds nothing", async () => {
  const name = "gate: shellcheck finds nothing";
  const { code } = await run(["sh", "-c", "command -v shellcheck"]);
  if (code !== 0) return skipReal(name, "shellcheck is not installed");
  const found = await succeeds("find", "install.sh", ".ci", "bench", "npm", "tests", "-type", "f");
  const scripts = found.split("\n").filter((path) => /\.sh$|^\.ci\//.test(path));
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
