/** Compares the pages for those who know the Docker executor with the lists of what it has, and their examples with the code. */

import assert from "node:assert/strict";
import { parse } from "@std/toml/parse";
import { loadConfig, parseDefinition } from "../../src/config/load.ts";
import { runnerToml } from "../../src/gitlab/runner_toml.ts";
import type { Host } from "../../src/host/host.ts";
import { matchesPatterns } from "../../src/images/request/patterns.ts";
import { parseReference } from "../../src/images/request/reference.ts";
import LISTS from "./docker_executor.json" with { type: "json" };
import { CHECKOUT } from "./source.ts";

/** Returns the names in code of a part of a page: the first cells of its tables, and its paragraphs. */
function namesIn(part: string): string[] {
  const texts = part.split("\n").filter((line) => !line.includes("---"))
    .map((line) => line.startsWith("|") ? line.split("|")[1]! : line);
  return [...texts.join("\n").matchAll(/`([^`]+)`/g)].map(([, name]) => name!).sort();
}

const { source: _source, ...PAGES } = LISTS;

for (const [page, lists] of Object.entries(PAGES)) {
  const text = Deno.readTextFileSync(CHECKOUT + page);
  for (const [name, list] of Object.entries<string[]>(lists)) {
    Deno.test(`${page} has each of ${name} once`, () => {
      const [, part] = text.split(`<!-- ${name} -->`);
      assert.ok(part, "the page has the part");
      assert.deepEqual(namesIn(part.split("<!-- end -->")[0]!), [...list].sort());
    });
  }
}

/** The examples of files, in their order. */
const EXAMPLES = [
  ...Deno.readTextFileSync(`${CHECKOUT}docs/from-docker.md`)
    .matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))?)+/gm),
].map(([block]) => block.replace(/^ {4}/gm, "")).filter((block) => / = /.test(block));

/** A section of GitLab Runner's configuration, as far as it is read here. */
interface Section extends Record<string, unknown> {
  readonly executor: string;
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly environment?: readonly string[];
  readonly docker?: object;
}

/** The sections of the examples. */
const SECTIONS = EXAMPLES.flatMap((text) => (parse(text)["runners"] ?? []) as unknown as Section[]);

/** Returns the keys of a table that a list does not have. */
function unknownKeys(table: object, known: readonly string[]): string[] {
  return Object.keys(table).filter((key) => !known.includes(key));
}

Deno.test("docs/from-docker.md begins with settings that GitLab Runner has", () => {
  const { "[[runners]]": runners, "[runners.docker]": docker } =
    LISTS["docs/reference/docker-settings.md"];
  const before = SECTIONS.filter(({ executor }) => executor === "docker");
  assert.equal(before.length, 2);
  for (const section of before) {
    assert.deepEqual(unknownKeys(section, runners), []);
    assert.deepEqual(unknownKeys(section.docker!, docker), []);
  }
});

/** Loads a configuration. */
function load(text: string) {
  const files = { read: () => Promise.resolve(text), real: () => Promise.resolve(null) };
  return loadConfig({ files } as unknown as Host, "/etc/nspawn-runner/config.toml");
}

Deno.test("the images of docs/from-docker.md match before and after", async () => {
  const [first] = await Promise.all(EXAMPLES.filter((text) => text.includes("pull = [")).map(load));
  const allowed = (image: string) => matchesPatterns(first!.pull, parseReference(image)!);
  for (const image of ["ruby", "ruby:3.3", "postgres:16", "registry.example.com/ci/a/b:1"]) {
    assert.ok(allowed(image), image);
  }
  assert.ok(!allowed("node:22"));
});

Deno.test("docs/from-docker.md ends with settings that this program has, and the section of register", async () => {
  const own = EXAMPLES.filter((text) => parse(text)["runners"] === undefined);
  assert.equal(own.length, 3);
  for (const text of own) {
    if (/^suite = /m.test(text)) await parseDefinition(text, "builder.toml");
    else {
      assert.ok((await load(text)).pull.length > 0);
    }
  }
  const [after] = SECTIONS.filter(({ executor }) => executor === "custom");
  const written = runnerToml({
    executable: "/usr/local/bin/nspawn-runner",
    name: after!.name,
    url: after!.url,
    token: after!.token,
    defaultImage: undefined,
  });
  const { environment, ...rest } = after!;
  const json = JSON.stringify({ runners: [rest] });
  assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(parse(written))));
  assert.equal(environment?.length, 1);
});
