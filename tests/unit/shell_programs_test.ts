/** Runs shellcheck over all shell programs of src/, and makes sure that none is overlooked. */

import assert from "node:assert/strict";
import { asProgram, PROBES } from "../../src/doctor/probes.ts";
import { simulatedStages } from "../../src/gitlab/simulation.ts";
import { skipReal } from "../skip.ts";
import { CHECKOUT, declarationOf, modulesBelow, type Node, textOf, visit } from "./source.ts";

/** Texts of three lines and more that are no shell programs, or that PROGRAMS below has. */
const OTHER_TEXTS: Readonly<Record<string, string>> = {
  "src/chroots/build/ansible.ts settingsOf": "ansible.cfg",
  "src/chroots/build/ansible.ts wrapperScript": "two lines of sh that depend on the host",
  "src/chroots/build/ansible_connection.ts CONNECTION_PLUGIN": "Python",
  "src/doctor/machine.ts scriptOf": "the probes, one after another",
  "src/doctor/probes.ts FUNCTIONS": "checked as a part of PROBES",
  "src/doctor/probes.ts PROBES": "checked as PROBES",
  "src/doctor/probes.ts SYSTEM_CALL_LINES": "checked as a part of PROBES",
  "src/gitlab/simulation.ts fileScript": "a job's own script",
  "src/gitlab/simulation.ts scriptOf": "checked as simulatedStages()",
  "src/gitlab/simulation.ts simulatedStages": "checked as simulatedStages()",
  "src/machines/network/rules.ts chains": "nft",
  "src/machines/network/rules.ts rulesFor": "nft",
  "src/machines/network/rules.ts set": "nft",
};

/** What follows `-c` where it is no constant: the constants that it may be, or what else. */
const PARAMETERS: Readonly<Record<string, readonly string[] | string>> = {
  "src/chroots/build/provision.ts provisionTree": "a command of the definition",
  "src/doctor/machine.ts runOutside": "checked as PROBES",
  "src/machines/storage/overlay.ts rootMountedBy": [
    "IDMAPPED_OVERLAY_SCRIPT",
    "SHIFTED_OVERLAY_SCRIPT",
  ],
};

/** Programs for bash; all others are for sh. */
const BASH = ["SAMPLE_SCRIPT", /^simulatedStages/];

interface Sources {
  /** Exported constants that are shell programs, with their files. */
  readonly programs: ReadonlyMap<string, string>;
  /** Programs that run under `sh -eu`. */
  readonly strict: ReadonlySet<string>;
  /** Keys of OTHER_TEXTS and PARAMETERS that were met. */
  readonly met: ReadonlySet<string>;
  readonly complaints: readonly string[];
}

function readSources(): Sources {
  const programs = new Map<string, string>();
  const parts = new Set<string>();
  const texts: { key: string; name: string; where: string }[] = [];
  const run = new Set<string>();
  const strict = new Set<string>();
  const met = new Set<string>();
  const complaints: string[] = [];
  const part = ({ type, name }: Node) => {
    if (type === "Identifier") parts.add(name);
    return "X";
  };
  for (const file of modulesBelow("src")) {
    const look = (node: Node) => {
      const { name, value, exported } = declarationOf(node);
      const isProgram = exported && name.endsWith("_SCRIPT") && value !== null;
      const text = textOf(node, isProgram ? part : () => "X");
      if (isProgram) programs.set(name, file);
      else if (text?.startsWith("#!/") || /\S.*\n[^]*\n[^]*\S/.test(text ?? "")) {
        texts.push({ key: `${file} ${name}`, name, where: JSON.stringify(text).slice(0, 60) });
      }
    };
    visit(file, {
      Literal: look,
      TemplateLiteral: look,
      "ArrayExpression > Literal[value=/^-[eux]*c$/]"(flag, sourceOf) {
        const key = `${file} ${declarationOf(flag).name}`;
        const words: Node[] = flag.parent!["elements"];
        const next = words[words.findIndex(({ range }) => range[0] === flag.range[0]) + 1];
        const text = next === undefined ? "nothing" : sourceOf(next);
        const names = text.split(" + ").filter((name) => /^[A-Z_\d]+_SCRIPT$/.test(name));
        for (const name of names) run.add(name);
        if (names.length === 0) {
          if (!(key in PARAMETERS)) complaints.push(`${key} runs ${text}`);
          met.add(key);
          const parameters = PARAMETERS[key] ?? [];
          if (typeof parameters !== "string") names.push(...parameters);
        }
        if (`${flag["value"]}`.includes("e")) { for (const name of names) strict.add(name); }
      },
    });
  }
  for (const { key, name, where } of texts) {
    if (parts.has(name)) continue;
    if (!(key in OTHER_TEXTS)) complaints.push(`${key} has ${where}`);
    met.add(key);
  }
  for (const name of new Set([...run, ...strict])) {
    if (!programs.has(name)) complaints.push(`${name} is not exported`);
  }
  // What only others are made of is no program of its own.
  for (const name of parts.difference(run)) programs.delete(name);
  return { programs, strict, met, complaints };
}

const SOURCES = readSources();

Deno.test("each shell program of src/ is an exported constant with a name in _SCRIPT", () => {
  assert.deepEqual(
    SOURCES.complaints,
    [],
    "name them …_SCRIPT and export them; a text in another language belongs to OTHER_TEXTS",
  );
  const stale = Object.keys({ ...OTHER_TEXTS, ...PARAMETERS }).filter((key) =>
    !SOURCES.met.has(key)
  );
  assert.deepEqual(stale, [], "these are no longer there");
});

/** Not every probe uses all functions and variables that it is given. */
const SHARED = "# shellcheck disable=SC2034,SC2317,SC2329\n";

/** All programs by name, as they run. */
async function allPrograms(): Promise<Map<string, string>> {
  const programs = new Map<string, string>();
  for (const [name, file] of SOURCES.programs) {
    const module: Readonly<Record<string, unknown>> = await import(CHECKOUT + file);
    assert.equal(typeof module[name], "string", `${file} ${name}`);
    programs.set(name, `${SOURCES.strict.has(name) ? "set -eu\n" : ""}${module[name]}`);
  }
  for (const { topic, inside, outside } of PROBES) {
    programs.set(`PROBES ${topic}, inside`, `${SHARED}outside=$1\n${asProgram(inside)}`);
    if (outside !== undefined) {
      programs.set(`PROBES ${topic}, outside`, SHARED + asProgram(outside));
    }
  }
  const job = { id: 1, image: "", script: "true", variables: {} };
  for (const { name, script } of simulatedStages(job, "/builds")) {
    programs.set(`simulatedStages ${name}`, script);
  }
  return programs;
}

Deno.test("all shell programs of src/ are clean under shellcheck", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const programs = await allPrograms();
    assert.ok(programs.size > 50, `only ${programs.size} programs were found`);
    for (const [name, text] of programs) {
      const isBash = BASH.some((bash) =>
        typeof bash === "string" ? bash === name : bash.test(name)
      );
      const first = text.startsWith("#!") ? "" : `# shellcheck shell=${isBash ? "bash" : "sh"}\n`;
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
