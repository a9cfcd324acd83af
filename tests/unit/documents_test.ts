/** Holds the documents to what exists: tests, files, links, commands and messages that they name. */

import assert from "node:assert/strict";
import { dirname, join } from "@std/path/posix";
import { COMMANDS } from "../../src/cli/commands.ts";
import { HELPER_DEFINITION } from "../../src/chroots/definition/helper_definition.ts";
import { GLOBAL_OPTIONS } from "../../src/cli/options.ts";
import { CHECKOUT } from "./source.ts";

/** Each document with its text. */
const DOCUMENTS = new Map<string, string>();
for (const path of ["", "docs"].flatMap((folder) => documentsIn(folder))) {
  DOCUMENTS.set(path, read(path));
}

/** Documents whose rules are each checked by a test that they name. */
const WITH_TESTS = ["docs/reference/contract.md", "docs/security.md"];

function documentsIn(folder: string): string[] {
  return [...Deno.readDirSync(CHECKOUT + folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    if (isDirectory) return folder === "" ? [] : documentsIn(path);
    return name.endsWith(".md") ? [path] : [];
  }).sort();
}

function read(path: string): string {
  return Deno.readTextFileSync(CHECKOUT + path);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(CHECKOUT + path);
    return true;
  } catch {
    return false;
  }
}

/** Returns what is wrong in each document, with the document's name. */
function complaints(look: (text: string, path: string) => string[]): string[] {
  return [...DOCUMENTS].flatMap(([path, text]) =>
    look(text, path).map((complaint) => `${path}: ${complaint}`)
  );
}

/** Line breaks and indentation do not count: the formatter moves them. */
function onOneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

function allIn(text: string, shape: RegExp): string[] {
  return [...text.matchAll(shape)].map(([, part]) => part!);
}

/** Code that is quoted in a line, and code in lines of its own. */
function codeIn(text: string): string[] {
  const lines = allIn(text, /^ {4,}(\S.*)$/gm);
  return [...allIn(onOneLine(text), /`([^`]+)`/g), ...lines];
}

Deno.test("every test that a document names exists", () => {
  const wrong = WITH_TESTS.flatMap((path) => {
    const text = onOneLine(DOCUMENTS.get(path)!);
    const named = text.matchAll(/`([a-z/_]+_test\.ts)`((?:[:,] "[^"]+")*)/g);
    return [...named].flatMap(([, file, words]) => {
      if (!exists(`tests/${file}`)) return [`${path}: there is no tests/${file}`];
      const literals = read(`tests/${file}`).match(/"(?:[^"\\\n]|\\.)*"|`[^`]*`/g) ?? [];
      return allIn(words!, /"([^"]+)"/g)
        .filter((name) => !literals.some((literal) => literal.includes(name)))
        .map((name) => `${path}: tests/${file} has no test "${name}"`);
    });
  });
  assert.deepEqual(wrong, []);
});

Deno.test("every rule of the contract and every promise has a test", () => {
  const wrong = WITH_TESTS.flatMap((path) => {
    const text = DOCUMENTS.get(path)!;
    const rules = allIn(text, /^\| ([A-Z]\d+) +\|/gm);
    const tested = allIn(text, /^- ((?:[A-Z]\d+(?:, )?)+): \S/gm).flatMap((list) =>
      list.split(", ")
    );
    assert.ok(rules.length > 30, `${path} has rules`);
    return [
      ...rules.filter((rule) => !tested.includes(rule)).map((rule) => `${path}: ${rule} has none`),
      ...tested.filter((rule) => !rules.includes(rule)).map((rule) =>
        `${path}: ${rule} is no rule`
      ),
    ];
  });
  assert.deepEqual(wrong, []);
});

/** Relative links, without those in code. */
function linksIn(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, "").replace(/`[^`]*`/g, "");
  return allIn(prose, /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link));
}

/** The name of a heading in links, as GitLab and GitHub make it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
}

function anchorsOf(path: string): string[] {
  return allIn(DOCUMENTS.get(path) ?? "", /^#+ (.*)$/gm).map(anchorOf);
}

/** The file that a link leads to, and the heading in it. */
function targetOf(link: string, from: string): readonly [string, string | undefined] {
  const [path = "", anchor] = link.split("#");
  return [path === "" ? from : join(dirname(from), path), anchor];
}

Deno.test("every relative link leads to a file and a heading", () => {
  const wrong = complaints((text, from) =>
    linksIn(text).filter((link) => {
      const [path, anchor] = targetOf(link, from);
      return !exists(path) || (anchor !== undefined && !anchorsOf(path).includes(anchor));
    })
  );
  assert.deepEqual(wrong, []);
});

Deno.test("every page of docs/ is found from the README by links", () => {
  const found = ["README.md"];
  for (const from of found) {
    for (const link of linksIn(DOCUMENTS.get(from) ?? "")) {
      const [path] = targetOf(link, from);
      if (!found.includes(path)) found.push(path);
    }
  }
  assert.deepEqual([...DOCUMENTS.keys()].filter((path) => !found.includes(path)), []);
});

Deno.test("docs/images.md shows the definition of the helper root", () => {
  const shown = HELPER_DEFINITION.trimEnd().replaceAll(/^/gm, " ".repeat(7));
  assert.ok(DOCUMENTS.get("docs/images.md")?.includes(`${shown}\n`));
});

Deno.test("no table of a document is wider than 120 columns", () => {
  const wrong = complaints((text) =>
    text.split("\n").filter((line) => line.startsWith("|") && [...line].length > 120)
      .map((line) => `${[...line].length} columns: ${line.slice(0, 60)}…`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("every file of the checkout that a document names exists", () => {
  const wrong = complaints((text) =>
    codeIn(text).flatMap((code) =>
      allIn(code, /(?:^|[\s(])\.?\/?((?:src|tests|npm|packaging|bench|docs)\/[\w./-]+)/g)
    ).filter((path) => !exists(path))
  );
  assert.deepEqual(wrong, []);
});

/** A call of the program up to a pipe, a comment, or the words for a job. */
const CALL = /(?:^|[\s(])nspawn-runner ([a-z][a-z-]*(?: [^|#&;`]*)?)/g;

function unknownIn(call: string): string[] {
  const [name, ...words] = call.replace(/ -- .*/, "").trim().split(/\s+/);
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) return [`there is no command ${name}: nspawn-runner ${call}`];
  const options = [...command.options, ...GLOBAL_OPTIONS].map((option) => `--${option.name}`);
  return words.filter((word) => word.startsWith("--") && !options.includes(word))
    .map((word) => `${name} has no option ${word}`);
}

Deno.test("every command and option that a document names exists", () => {
  const wrong = complaints((text) =>
    codeIn(text).flatMap((code) => allIn(code, CALL)).flatMap(unknownIn)
  );
  assert.deepEqual(wrong, []);
});

/** The text of all messages, with literals that are joined over several lines in one piece. */
function sources(): string {
  const files = ["src", "npm", "packaging"].flatMap((folder) => filesBelow(folder)).concat(
    "install.sh",
  );
  return files.map(read).join("\n").replace(/["`] \+\s*["`]/g, "").replace(/\s+/g, " ");
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(CHECKOUT + folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

/** What other programs print: systemd, the C library, sudo. */
const OF_OTHERS = [
  "No space left on device",
  "Invalid argument",
  "mknod: Operation not permitted",
  'The "no new privileges" flag is set',
  "terminated by signal",
  "argument list too long",
  "fork: Resource temporarily unavailable",
  "System has not been booted with systemd as init system (PID 1).",
  "Failed to connect to bus",
  "Too many open files",
  "Function not implemented",
  "Connection timed out",
  "Could not resolve host",
  "Operation not permitted",
  "Cannot connect to the Docker daemon",
  "Attempted to remove disk file system under …, and we can't allow that.",
  "could not find pasta",
  "Failed to map ids for bind mount",
];

/** What the headings of docs/troubleshooting.md name: messages, `…` standing for what differs, and shorter code. */
const SYMPTOMS = allIn(DOCUMENTS.get("docs/troubleshooting.md")!, /^### (.*)$/gm)
  .flatMap((heading) => allIn(heading, /`([^`]+)`/g));

Deno.test("every message that docs/troubleshooting.md explains is one of the program's", () => {
  const messages = SYMPTOMS.filter((symptom) => /[A-Za-z] /.test(symptom))
    .filter((message) => !OF_OTHERS.includes(message));
  assert.ok(messages.length > 30);
  const all = sources();
  const wrong = messages.flatMap((message) => message.split("…"))
    .map((part) => part.replace(/^[:,. ]+|[:,. ]+$/g, ""))
    .filter((part) => part.includes(" ") && !all.includes(part));
  assert.deepEqual(wrong, []);
});

/** The failures without a hint of tests/unit/messages.txt, with `…` for what varies. */
function failuresWithoutHint(): string[] {
  const lines = read("tests/unit/messages.txt").split("\n");
  return lines.filter((_, index) => !lines[index + 1]?.startsWith("    hint: "))
    .flatMap((line) => allIn(line, /^ {2}(?:usage|refused|host): (.*)$/g))
    .map((message) => message.replace(/\{[^{}]*\}|<[^<>]*>/g, "…"));
}

/** Whether a symptom is this failure, or a wider one with words of its own for the reason: `Cannot …: interrupted`. */
function names(symptom: string, failure: string): boolean {
  const shape = symptom.split("…").map((part) => part.replace(/[^\w ]/g, "\\$&")).join(".+");
  const reasonOf = (message: string) => message.slice(message.indexOf(": ") + 1);
  const isVague = (message: string) => !/\w/.test(reasonOf(message));
  return new RegExp(`^${shape}$`).test(failure) && (!isVague(symptom) || isVague(failure));
}

Deno.test("every failure has a hint, or an entry in the page of troubleshooting", () => {
  const failures = failuresWithoutHint();
  assert.ok(failures.length > 10);
  const unexplained = failures.filter((failure) =>
    !SYMPTOMS.some((symptom) => names(symptom, failure))
  );
  assert.deepEqual(unexplained, []);
});

/** Folders whose failures the log of a job can have. */
const OF_JOBS = /^src\/(?:app|images|machines|services|gitlab\/runner_program)/;

/** The failures that the log of a job can have, with `…` for what varies. */
function failuresOfJobs(): string[] {
  const files = read("tests/unit/messages.txt").split(/^(?=src\/)/m);
  return files.filter((file) => OF_JOBS.test(file))
    .flatMap((file) => allIn(file, /^ {2}(?:refused|host): (Cannot .*)$/gm))
    .map((message) => message.replace(/\{[^{}]*\}|<[^<>]*>/g, "…"));
}

Deno.test("every failure that a job's log can have has an entry in the page of troubleshooting", () => {
  const shapes = SYMPTOMS.map((symptom) =>
    new RegExp(`^${symptom.split("…").map((part) => part.replace(/[^\w ]/g, "\\$&")).join(".+")}`)
  );
  const failures = failuresOfJobs();
  assert.ok(failures.length > 100, `${failures.length}`);
  const unexplained = failures.filter((failure) => !shapes.some((shape) => shape.test(failure)));
  assert.deepEqual(unexplained, []);
});
