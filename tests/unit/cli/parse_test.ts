import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { parseCommandLine, type Parsed } from "../../../src/cli/parse.ts";
import { Failure } from "../../../src/failure.ts";

type Command = Extract<Parsed, { kind: "command" }>;

const parse = (argv: readonly string[]) => parseCommandLine(argv, COMMANDS);

function command(...argv: string[]): Command {
  const parsed = parse(argv);
  assert.equal(parsed.kind, "command");
  return parsed as Command;
}

/** The error of a wrong command line, as `message | hint`. */
function complaint(...argv: string[]): string {
  try {
    parse(argv);
  } catch (error) {
    assert.ok(error instanceof Failure, `a bug, not a usage error: ${error}`);
    assert.equal(error.kind, "usage");
    return `${error.message} | ${error.hint}`;
  }
  assert.fail(`accepted: ${argv.join(" ")}`);
}

Deno.test("parseCommandLine() asks for the program's help without a command", () => {
  for (const argv of [[], ["-h"], ["--help"], ["-v"], ["--debug", "--help"]]) {
    assert.deepEqual(parse(argv), { kind: "help", command: undefined });
  }
});

Deno.test("parseCommandLine() asks for a command's help, whatever else is wrong with it", () => {
  for (const argv of [["run", "--help"], ["-h", "run"], ["run", "--bogus", "a", "b", "c", "-h"]]) {
    const parsed = parse(argv);
    assert.equal(parsed.kind, "help");
    assert.equal(parsed.kind === "help" && parsed.command?.name, "run");
  }
});

Deno.test("parseCommandLine() takes --version before and after a command", () => {
  for (const argv of [["--version"], ["--version", "run"], ["run", "--version"]]) {
    assert.deepEqual(parse(argv), { kind: "version" });
  }
});

Deno.test("parseCommandLine() collects an option that may be given more than once", () => {
  const { invocation } = command("simulate", "--variable", "A=1", "--variable=B=x y", "--image=x");
  assert.deepEqual(invocation.lists, { variable: ["A=1", "B=x y"], service: [] });
  assert.deepEqual(invocation.options, { image: "x" });
  assert.deepEqual(command("simulate").invocation.lists, { variable: [], service: [] });
  assert.match(complaint("simulate", "--variable"), /--variable: its value is missing/);
});

Deno.test("parseCommandLine() takes --opt value and --opt=value, with positionals in between", () => {
  for (
    const argv of [
      ["prepare", "--id", "7", "--default-image", "sid", "debian:bookworm"],
      ["prepare", "debian:bookworm", "--id=7", "--default-image=sid"],
      ["prepare", "--id=7", "debian:bookworm", "--default-image", "sid"],
    ]
  ) {
    const { command: spec, invocation, globals } = command(...argv);
    assert.equal(spec.name, "prepare");
    assert.deepEqual(invocation.options, { id: "7", "default-image": "sid" });
    assert.deepEqual(invocation.positionals, { image: "debian:bookworm" });
    assert.deepEqual(globals, { verbosity: "normal", configPath: undefined });
  }
});

Deno.test("parseCommandLine() takes global options before and after the command", () => {
  for (
    const argv of [
      ["-v", "--config", "c.toml", "cleanup", "--id", "1"],
      ["cleanup", "--id", "1", "--config=c.toml", "--verbose"],
    ]
  ) {
    assert.deepEqual(command(...argv).globals, { verbosity: "verbose", configPath: "c.toml" });
  }
  assert.equal(command("--debug", "-v", "toml").globals.verbosity, "debug");
  assert.equal(command("toml", "-v", "-v").globals.verbosity, "verbose");
});

Deno.test("parseCommandLine() leaves values and positionals as they are", () => {
  for (
    const text of ["007", "1e3", "0x10", "1.0", "true", "false", "a=b", "a\nb", "é", "constructor"]
  ) {
    const { invocation } = command("prepare", `--id=${text}`, "--default-image", text, text);
    assert.deepEqual(invocation.options, { id: text, "default-image": text });
    assert.deepEqual(invocation.positionals, { image: text });
  }
  assert.equal(command("cleanup", "--id=-5").invocation.options["id"], "-5");
});

Deno.test("parseCommandLine() names the positionals of run", () => {
  const { positionals, options } =
    command("run", "--shell", "sh", "/tmp/script", "step_script").invocation;
  assert.deepEqual(positionals, { script: "/tmp/script", stage: "step_script" });
  assert.deepEqual(options, { shell: "sh" });
});

Deno.test("parseCommandLine() leaves everything after -- unparsed", () => {
  const { invocation } = command(
    "simulate",
    "--image",
    "sid",
    "--",
    "make",
    "--help",
    "--",
    "-v",
    "",
  );
  assert.deepEqual(invocation.rest, ["make", "--help", "--", "-v", ""]);
  assert.deepEqual(invocation.positionals, {});
  assert.deepEqual(command("chroot-list", "--json").invocation.switches, new Set(["json"]));
  assert.deepEqual(command("chroot-list").invocation.switches, new Set());
});

Deno.test("parseCommandLine() throws on an unknown command and names the nearest one", () => {
  assert.equal(
    complaint("prepair"),
    'Cannot run "prepair": no such command | Did you mean prepare?',
  );
  assert.match(complaint("chroot-lst"), /Did you mean chroot-list\?/);
  assert.match(complaint("something-else"), /See nspawn-runner --help$/);
  assert.match(complaint("constructor"), /no such command/);
  assert.match(complaint(""), /no such command/);
});

Deno.test("parseCommandLine() throws on an unknown option and names the nearest one", () => {
  assert.equal(
    complaint("prepare", "--defalt-image=x"),
    "Cannot use --defalt-image: no such option | Did you mean --default-image?",
  );
  assert.match(complaint("--verbos", "prepare"), /Did you mean --verbose\?/);
  assert.match(complaint("prepare", "-x"), /Cannot use -x: no such option \| See --help/);
  assert.match(complaint("prepare", "-vh"), /Cannot use -vh: no such option/);
  assert.match(complaint("prepare", "--shell=sh"), /no such option/);
  assert.match(complaint("--id", "5", "prepare"), /Cannot use --id: no such option/);
});

Deno.test("parseCommandLine() throws on options with a meaning in the libraries alone", () => {
  for (
    const word of [
      "--constructor=1",
      "--__proto__",
      "--__proto__=x",
      "--toString",
      "--no-json",
      "--_=1",
      "---",
      "--=x",
    ]
  ) {
    assert.match(complaint("chroot-list", word), /no such option/);
    assert.match(complaint(word, "chroot-list"), /no such option/);
  }
});

Deno.test("parseCommandLine() throws where a value is missing", () => {
  for (
    const argv of [["--id"], ["--id="], ["--id", ""], ["--id", "--shell=sh"], ["--id", "-v"], [
      "--id",
      "--",
      "x",
    ]]
  ) {
    assert.equal(
      complaint("run", ...argv),
      "Cannot use --id: its value is missing | Write --id=ID",
    );
  }
  assert.match(complaint("--config"), /Cannot use --config: its value is missing/);
});

Deno.test("parseCommandLine() throws where an option is repeated or takes no value", () => {
  assert.match(
    complaint("cleanup", "--id", "1", "--id=2"),
    /Cannot use --id twice: it takes one value/,
  );
  assert.match(complaint("--config", "a", "toml", "--config", "b"), /Cannot use --config twice/);
  assert.match(complaint("chroot-list", "--json=yes"), /Cannot use --json=yes: it takes no value/);
});

Deno.test("parseCommandLine() throws on too many or too few positionals", () => {
  assert.match(complaint("cleanup", "42"), /Cannot use "42": cleanup takes no more arguments/);
  assert.match(complaint("run", "a", "b", "c"), /Cannot use "c": run takes no more arguments/);
  assert.match(
    complaint("run"),
    /Cannot run run: the script is missing \| Example: nspawn-runner run/,
  );
  assert.match(complaint("chroot-remove"), /the image is missing/);
  assert.match(complaint("prepare", ""), /the image is missing/);
});

Deno.test("parseCommandLine() throws on -- where no command follows or none is taken", () => {
  assert.match(complaint("simulate", "--"), /no command follows --/);
  assert.match(complaint("run", "a", "--", "b"), /Cannot use --: run takes no command/);
  assert.match(complaint("--", "run"), /Cannot use --: no command comes before it/);
});

Deno.test("parseCommandLine() collects a positional that may be repeated", () => {
  const parsed = parse(["chroot-maintenance", "a", "--check", "b"]);
  assert.ok(parsed.kind === "command");
  assert.deepEqual(parsed.invocation.allPositionals, ["a", "b"]);
  assert.ok(parsed.invocation.switches.has("check"));
});
