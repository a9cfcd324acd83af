/** Prints, as JSON, what the imported packages return for a table of inputs: it must not depend on the route. */

import { parseArgs } from "@std/cli/parse-args";
import * as path from "@std/path/posix";
import { parse as parseToml } from "@std/toml/parse";
import { parse as parseYaml } from "@std/yaml/parse";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { parseCommandLine } from "../../../src/cli/parse.ts";
import { parseDefinition } from "../../../src/config/load.ts";
import { messageOf } from "../../../src/failure.ts";

const WORDS = [
  [],
  ["a", "b"],
  ["--id", "7", "a"],
  ["--id=7", "1e3", "0x10", "007"],
  ["--id=-5", "--id-two", "x=y"],
  ["-v", "a", "--json"],
  ["--id", "false", "--json", "a"],
  ["--id=a=b", "", "a b", "é\n"],
];

const COMMAND_LINES = [
  [],
  ["prepare", "--id", "0x10", "1e3"],
  ["--config=c", "run", "-v", "script", "007"],
  ["simulate", "--", "--constructor=1"],
  ["prepare", "--constructor=1"],
  ["prepare", "--__proto__"],
  ["prepare", "--__proto__=1"],
  ["cleanup", "--id=1", "--id=2"],
  ["cleanup", "--id", "--debug"],
  ["cleanup", "--config", "-"],
  ["chroot-list", "--no-json"],
  ["chroot-list", "--json", "--json"],
];

const TOML = [
  'a = 1\nb = "x # y" # z\nc = true\n[d]\ne = "\\u00e9"\n[d.f]\ng = []\n',
  "a.b = 1\na.c = -2\r\n'd e' = 1_000\r\n",
  "a = { b = 1, c = 'x\\y' }\n",
  "[[a]]\nb = 1\n[[a]]\nb = 2\n",
  'a = """\nb\nc"""\n',
  "a = [1,\n 2, # x\n]\n",
  "a = 1.5\nb = 1e2\n",
];

const DEFINITIONS = [
  "",
  "# nothing\n",
  '\uFEFFsuite = "sid"\n',
  "boot = 1",
  "limits = 1",
  "prepare_timeout = 1979-05-27",
  "constructor = 1",
  "limits.cpu_weight = 1\nlimits.cpu_weight = 2",
  'shell = "a"\nshell = "b"',
  "[limits]\n[limits]\n",
  "boot",
  "boot = ",
  'boot = "',
];

const YAML = [
  "",
  "# nothing\n",
  "---\n- hosts: all\n  vars:\n    a: yes\n    b: 010\n    c: 1.0\n    d: ~\n    e: 2024-01-01\n",
  "- a: |\n    x\n     y\n  b: >-\n    x\n    y\n  c: 'it''s'\n  d: \"\\u00e9\"\n",
  "a: &x [1, {b: c}]\nd: *x\n",
  "a: 1\na: 2\n",
  "a: [",
  "a: b: c",
  "---\na\n---\nb\n",
];

const PATHS = [
  "",
  ".",
  "..",
  "/",
  "//",
  "a",
  "/a",
  "/a/",
  "//a",
  "a//b/../c",
  "/a//b//",
  "../a",
  ".a",
  "/a/b.c",
  "/..",
  "a/./b/",
];

function attempt(act: () => unknown): unknown {
  try {
    return act();
  } catch {
    return "refused"; // the parsers' messages differ
  }
}

function told(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return messageOf(error);
  }
}

async function definition(text: string): Promise<unknown> {
  try {
    return await parseDefinition(text, "file");
  } catch (error) {
    return messageOf(error).replace(/^(Cannot read file:).*/s, "$1");
  }
}

const options = { string: ["_", "id", "id-two"], boolean: ["json", "v"] };

// deno-lint-ignore no-console -- the test reads this output
console.log(JSON.stringify({
  words: WORDS.map((words) => parseArgs(words, options)),
  lines: COMMAND_LINES.map((line) => told(() => parseCommandLine(line, COMMANDS))),
  toml: TOML.map((text) => attempt(() => parseToml(text))),
  definitions: await Promise.all(DEFINITIONS.map(definition)),
  yaml: YAML.flatMap((text) =>
    [false, true].map((allowDuplicateKeys) =>
      attempt(() => parseYaml(text, { schema: "failsafe", allowDuplicateKeys }))
    )
  ),
  paths: PATHS.map((text) => [
    path.basename(text),
    [".c", "c", "/", ".", "b.c", ".a"].map((suffix) => path.basename(text, suffix)),
    path.dirname(text),
    path.join(text, "x"),
    path.join("/y", text),
    path.extname(text),
    path.isAbsolute(text),
    path.normalize(text),
    path.resolve("/y", text),
    PATHS.map((other) => path.relative(`/y/${text}`, `/y/${other}`)),
  ]),
  urls: ["file:///a/b", "file:///a%20b%25", "file:///"].map((url) => path.fromFileUrl(url)),
}, (_, value) => sorted(value)));

/** Parsers differ in the order of keys. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (value instanceof Set) return [...value];
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}
