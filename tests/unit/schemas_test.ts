/** Writes the JSON Schemas of the configuration and of definitions, and compares them with the program's own checks. */

import assert from "node:assert/strict";
import { SETTINGS } from "../../src/config/schema.ts";
import { assertUpToDate } from "./generated.ts";
import { runTool } from "./generate/tool.ts";
import { inFolder } from "./recording_host.ts";
import { CHECKOUT } from "./source.ts";
import { fileSchema, type Schema, valueSchema } from "./generate/schema.ts";

for (const file of ["config", "definition"] as const) {
  const path = `share/nspawn-runner/${file}.schema.json`;
  Deno.test(`${path} has the table of settings`, async () => {
    await assertUpToDate(path, JSON.stringify(fileSchema(file), null, 2) + "\n");
  });
}

/** Values of all kinds, many of which some setting allows. */
const VALUES: readonly unknown[] = [
  ...[true, false, -1, 0, 1, 2, 16, 50, 60, 120, 16384, 86_400, 33_554_432, 1.5],
  ...["", "x", "X y", "infinity", "80%", "100%", "150%", "4G", "64M", "100", "16384"],
  ...["90s", "2min", "12h", "7d", "/", "/a/b", "a/b.yaml", "bookworm", "debian:bookworm", "ci"],
  ...["10.231.0.0/19", "https://deb.example/debian", "file:/mirror", "docker:alpine", "tar:/a.tar"],
  ...SETTINGS.flatMap(({ allowed }) => allowed.match(/(?<=")[a-z-]+(?=")/g) ?? []),
  ...[[], ["x"], ["*"], [1], [[]], ["always"], ["never", "always"], ["10.0.0.0/8"]],
  ...[["/a:/b:ro"], ["/dev/fuse"], ["CAP_SYS_PTRACE"], ["@keyring"], ["gitlab.lan:192.0.2.10"]],
  ...[{}, { "/a": "/b" }, { a: 1 }, [{}], [{ name: "redis" }], [{ name: "redis", alias: 1 }]],
  [{ name: "x", alias: "y", entrypoint: ["a"], command: [], variables: { A: "b" } }],
];

/** Whether a value has a schema. */
function fits(value: unknown, schema: Schema): boolean {
  const { anyOf, pattern, minimum = -Infinity, maximum = Infinity } = schema;
  if (schema.type !== undefined && typeOf(value) !== schema.type) return false;
  if (anyOf !== undefined && !anyOf.some((one) => fits(value, one))) return false;
  if (typeof value === "number" && (value < minimum || value > maximum)) return false;
  if (typeof value === "string") {
    if (schema.enum !== undefined && !schema.enum.includes(value)) return false;
    if (pattern !== undefined && !new RegExp(pattern, "u").test(value)) return false;
  }
  if (Array.isArray(value)) return value.every((one) => fits(one, schema.items ?? {}));
  if (typeof value !== "object" || value === null) return true;
  const { properties = {}, additionalProperties: others = true, required = [] } = schema;
  return required.every((key) => key in value) &&
    Object.entries(value).every(([key, one]) => {
      const own = properties[key] ?? others;
      return typeof own === "boolean" ? own : fits(one, own);
    });
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

Deno.test("the schemas allow every value that the program allows", () => {
  const wrong = SETTINGS.flatMap((setting) =>
    VALUES.filter((value) => setting.check(value) !== undefined)
      .filter((value) => !fits(value, valueSchema(setting)))
      .map((value) => `${setting.key} = ${JSON.stringify(value)}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("the schemas allow no type and no word that the program does not allow", () => {
  for (const setting of SETTINGS) {
    const schema = valueSchema(setting);
    const allowed = VALUES.filter((value) => setting.check(value) !== undefined);
    const types = new Set(allowed.map(typeOf));
    const accepted = VALUES.filter((value) => fits(value, schema));
    assert.deepEqual(accepted.filter((value) => !types.has(typeOf(value))), [], setting.key);
    if (schema.enum === undefined) continue;
    assert.deepEqual(accepted, allowed.filter((value) => typeof value === "string"), setting.key);
  }
});

Deno.test("each setting is described in the schemas by its meaning", () => {
  const text = JSON.stringify([fileSchema("config"), fileSchema("definition")]);
  assert.doesNotMatch(text, /undefined/);
});

/** Files of settings, as JSON, and whether they are right. */
const FILES: readonly (readonly ["config" | "definition", unknown, boolean])[] = [
  ["config", {}, true],
  ["config", { store: "/srv", limits: { memory_max: "4G" }, services: [{ name: "redis" }] }, true],
  ["config", { stor: "/srv" }, false],
  ["config", { limits: { memory: "4G" } }, false],
  ["config", { suite: "trixie" }, false],
  ["definition", { suite: "trixie", boot: false, copy: { "/a": "/b" } }, true],
  ["definition", { suite: "trixie", extends: "bookworm" }, false],
  ["definition", { store: "/srv" }, false],
];

Deno.test("a validator of JSON Schema takes the schemas for right, and finds what is wrong by them", async () => {
  const name =
    "a validator of JSON Schema takes the schemas for right, and finds what is wrong by them";
  await inFolder(async (folder) => {
    for (const [file, content, isRight] of FILES) {
      const path = `${folder}/file.json`;
      await Deno.writeTextFile(path, JSON.stringify(content));
      const schema = `${CHECKOUT}share/nspawn-runner/${file}.schema.json`;
      const done = await runTool(name, ["jsonschema", "--instance", path, schema]);
      if (done === null) return;
      assert.equal(done.code === 0, isRight, `${JSON.stringify(content)}:\n${done.stderr}`);
      assert.doesNotMatch(done.stderr, /schema is (not )?valid|SchemaError/);
    }
  });
});
