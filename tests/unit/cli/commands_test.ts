import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { GLOBAL_OPTIONS } from "../../../src/cli/options.ts";
import { parseCommandLine } from "../../../src/cli/parse.ts";

Deno.test("COMMANDS has all commands", () => {
  assert.deepEqual(COMMANDS.map(({ name }) => name).sort(), [
    "chroot-create",
    "chroot-export",
    "chroot-import",
    "chroot-list",
    "chroot-login",
    "chroot-maintenance",
    "chroot-push",
    "chroot-remove",
    "chroot-rollback",
    "cleanup",
    "config",
    "doctor",
    "explain",
    "gc",
    "gitlab-config",
    "history",
    "image-list",
    "image-pull",
    "image-remove",
    "list",
    "metrics",
    "pipeline",
    "prepare",
    "register",
    "report",
    "run",
    "shell",
    "simulate",
    "toml",
    "top",
  ]);
});

Deno.test("COMMANDS has examples that parse as that command", () => {
  for (const { name, example } of COMMANDS) {
    const [program, ...words] = example.replace(/ >>.*$/, "").split(" ");
    assert.equal(program, "nspawn-runner");
    const parsed = parseCommandLine(words, COMMANDS);
    assert.equal(parsed.kind === "command" && parsed.command.name, name);
  }
});

Deno.test("COMMANDS has no ambiguous options and positionals", () => {
  for (const { options, positionals, rest } of COMMANDS) {
    const names = [...GLOBAL_OPTIONS, ...options].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^[a-z]+(-[a-z]+)*$/);
    // Neither an optional positional before a required one, nor a required one before `--`.
    const required = positionals.map((word) => word.required);
    assert.deepEqual(required, required.toSorted().reverse());
    assert.ok(rest === undefined || required.every((word) => !word));
  }
});

Deno.test("COMMANDS need root, except those that only read", () => {
  const free = COMMANDS.filter(({ needsRoot }) => !needsRoot).map(({ name }) => name);
  assert.deepEqual(free.sort(), ["chroot-list", "config", "gitlab-config", "toml"]);
  const scripts = COMMANDS.filter(({ runsScript }) => runsScript).map(({ name }) => name);
  assert.deepEqual(scripts.sort(), ["chroot-login", "pipeline", "run", "shell", "simulate"]);
});

for (const { name, load } of COMMANDS) {
  Deno.test(`COMMANDS loads the module of ${name}`, async () => {
    assert.equal(typeof (await load()).run, "function");
  });
}
