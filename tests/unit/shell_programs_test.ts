/** Runs shellcheck over all shell programs of src/, and makes sure that none is overlooked. */

import assert from "node:assert/strict";
import { asProgram, PROBES } from "../../src/doctor/probes.ts";
import { simulatedStages } from "../../src/gitlab/simulation.ts";
import { skipReal } from "../skip.ts";
import { CHECKOUT, declarationOf, modulesBelow, type Node, textOf, visit } from "./source.ts";

/** Texts of three lines and more that are no shell programs, or that allPrograms() has in another way. */
const OTHER_TEXTS: Readonly<Record<string, string>> = {
  "src/chroots/build/ansible.ts settingsOf": "ansible.cfg",
  "src/chroots/build/ansible.ts wrapperScript": "two lines of sh that depend on the host",
  "src/chroots/build/ansible_connection.ts CONNECTION_PLUGIN": "Python",
  "src/doctor/machine.ts scriptOf": "the probes, one after another",
  "src/doctor/probes.ts FUNCTIONS": "checked as a part of PROBES",
  "src/doctor/probes.ts PROBES": "checked as PROBES",
  "src/doctor/probes.ts SYSTEM_CALL_LINES": "checked as a part of PROBES",
  "src/gitlab/runner_job.ts stageScript": "checked as simulatedStages()",
  "src/gitlab/simulation.ts fileScript": "a job's own script",
  "src/gitlab/simulation.ts simulatedStages": "checked as simulatedStages()",
  "src/history/view/html.ts STYLE": "CSS",
  "src/history/view/html.ts reportPage": "HTML",
  "src/history/view/html.ts table": "HTML",
  "src/machines/network/rules.ts queryLimit": "nft",
  "src/machines/exec/stage_server.ts STAGE_SERVER_UNIT": "a unit of systemd",
  "src/machines/network/rules.ts chains": "nft",
  "src/machines/network/rules.ts rulesFor": "nft",
  "src/machines/network/rules.ts set": "nft",
};

/** Programs after `-c` that are no constants: the constants that they may be, or what else they are. */
const PARAMETERS: Readonly<Record<string, readonly string[] | string>> = {
  "src/linux/mounts.ts inOwnMounts": [
    ...["LIMIT_TABLES_SCRIPT", "BIND_RESOLV_CONF_SCRIPT", "CREATE_NODES_SCRIPT"],
    ...["OVERLAY_SCRIPT", "BIND_WITHOUT_DEVICES_SCRIPT"],
  ],
  "src/chroots/build/provision.ts provisionTree": "a command of the definition",
  "src/app/service_plan.ts healthcheckOf": "a command of an image",
  "src/doctor/machine.ts runOnHost": "checked as PROBES",
  "src/pipeline/source/owner.ts asOwner": [
    ...["CHANGES_SCRIPT", "COMMIT_SCRIPT", "SOURCES_SCRIPT", "SUBMODULES_SCRIPT", "HASHES_SCRIPT"],
  ],
  "src/pipeline/read/fetch.ts download": "Python",
};

/** Programs for bash; all others are for sh. */
const BASH = /^SAMPLE_SCRIPT$|^WAIT_FOR_PORT_SCRIPT$|^simulatedStages /;

/** A text of src/ that is no program by its name. */
interface Text {
  /** The name of the constant or function that has it. */
  readonly name: string;
  /** As in OTHER_TEXTS. */
  readonly key: string;
  readonly text: string;
}

/** What the syntax trees of src/ have of shell programs. */
const sources = {
  /** Exported constants that are shell programs, with their files. */
  programs: new Map<string, string>(),
  /** Constants that are inserted into programs. */
  parts: new Set<string>(),
  /** Constants that follow `-c`. */
  run: new Set<string>(),
  /** Those that run under `sh -eu`. */
  strict: new Set<string>(),
  /** Texts of three lines and more, or with a `#!` line. */
  texts: [] as Text[],
  /** Keys of OTHER_TEXTS and PARAMETERS that were found. */
  found: new Set<string>(),
  complaints: [] as string[],
};

function visitText(file: string, node: Node): void {
  const { name, value, exported } = declarationOf(node);
  const isProgram = exported && name.endsWith("_SCRIPT") && value !== null;
  const text = textOf(node, (inserted) => {
    if (isProgram && inserted.type === "Identifier") sources.parts.add(inserted["name"]);
    return "X";
  });
  if (isProgram) {
    if ((sources.programs.get(name) ?? file) !== file) {
      sources.complaints.push(`${name} exists twice`);
    }
    sources.programs.set(name, file);
  } else if (text?.startsWith("#!/") || /\S.*\n[^]*\n[^]*\S/.test(text ?? "")) {
    sources.texts.push({ name, key: `${file} ${name}`, text: `${text}` });
  }
}

/** Visits an option `-c` in a command line: a program follows. */
function visitOption(file: string, option: Node, sourceOf: (node: Node) => string): void {
  const key = `${file} ${declarationOf(option).name}`;
  const words: Node[] = option.parent!["elements"];
  const next = words[words.findIndex(({ range }) => range[0] === option.range[0]) + 1];
  const program = next === undefined ? "nothing" : sourceOf(next);
  const constants = program.split(" + ").filter((name) => /^[A-Z_\d]+_SCRIPT$/.test(name));
  if (constants.length === 0) {
    const parameters = PARAMETERS[key];
    if (parameters === undefined) sources.complaints.push(`${key} runs ${program}`);
    else sources.found.add(key);
    if (Array.isArray(parameters)) constants.push(...parameters);
  }
  for (const name of constants) {
    sources.run.add(name);
    if (`${option["value"]}`.includes("e")) sources.strict.add(name);
  }
}

for (const file of modulesBelow("src")) {
  visit(file, {
    Literal: (node) => visitText(file, node),
    TemplateLiteral: (node) => visitText(file, node),
    "ArrayExpression > Literal[value=/^-[eux]*c$/]": (node, sourceOf) =>
      visitOption(file, node, sourceOf),
  });
}

Deno.test("each shell program of src/ is an exported constant with a name in _SCRIPT", () => {
  const { texts, parts, found, run, programs, complaints } = sources;
  for (const { key, text } of texts.filter(({ name }) => !parts.has(name))) {
    if (key in OTHER_TEXTS) found.add(key);
    else complaints.push(`${key} has ${JSON.stringify(text).slice(0, 60)}`);
  }
  for (const name of run) if (!programs.has(name)) complaints.push(`${name} is not exported`);
  assert.deepEqual(
    complaints,
    [],
    "export each as a constant ..._SCRIPT; a text in another language belongs to OTHER_TEXTS",
  );
  const stale = Object.keys({ ...OTHER_TEXTS, ...PARAMETERS }).filter((key) => !found.has(key));
  assert.deepEqual(stale, [], "these are no longer there");
});

/** Not every probe uses all functions and variables that it is given. */
const SHARED = "# shellcheck disable=SC2034,SC2317,SC2329\n";

/** All programs by name, as they run. */
async function allPrograms(): Promise<Map<string, string>> {
  const programs = new Map<string, string>();
  const { parts, run, strict } = sources;
  for (const [name, file] of sources.programs) {
    if (parts.has(name) && !run.has(name)) continue; // checked as a part of others
    const module: Readonly<Record<string, unknown>> = await import(CHECKOUT + file);
    assert.equal(typeof module[name], "string", `${file} ${name}`);
    programs.set(name, `${strict.has(name) ? "set -eu\n" : ""}${module[name]}`);
  }
  for (const { topic, machineScript, hostScript } of PROBES) {
    programs.set(`PROBES ${topic}, inside`, `${SHARED}host_line=$1\n${asProgram(machineScript)}`);
    if (hostScript !== undefined) {
      programs.set(`PROBES ${topic}, outside`, SHARED + asProgram(hostScript));
    }
  }
  const job = { id: 1, image: "", script: "true", variables: {}, services: [] };
  for (const { name, script } of simulatedStages(job, "/builds")) {
    programs.set(`simulatedStages ${name}`, script("running"));
  }
  return programs;
}

Deno.test("all shell programs of src/ are clean under shellcheck", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const programs = await allPrograms();
    assert.ok(programs.size > 50, `only ${programs.size} programs were found`);
    for (const [name, text] of programs) {
      const shell = BASH.test(name) ? "bash" : "sh";
      const first = text.startsWith("#!") ? "" : `# shellcheck shell=${shell}\n`;
      await Deno.writeTextFile(`${folder}/${name}`, first + text);
    }
    const command = new Deno.Command("shellcheck", {
      args: ["--exclude=SC1091", ...programs.keys()], // files that are sourced are a machine's
      cwd: folder,
    });
    const { code, stdout, stderr } = await command.output();
    assert.equal(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr), "");
    assert.equal(code, 0);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    skipReal("all shell programs of src/ are clean under shellcheck", "there is no shellcheck");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
