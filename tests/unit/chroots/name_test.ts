import assert from "node:assert/strict";
import { chrootName, isChrootName, namesOfImage } from "../../../src/chroots/name.ts";
import { Failure } from "../../../src/failure.ts";

const MEANINGS: Readonly<Record<string, readonly string[]>> = {
  "bookworm": ["bookworm"],
  "debian:bookworm": ["debian-bookworm", "bookworm"],
  "python:3.11": ["python-3.11", "3.11"],
  "registry.example/ci/bookworm": ["bookworm"],
  "registry.example:5000/ci/debian:bookworm": ["debian-bookworm", "bookworm"],
  "Debian_12.x": ["Debian_12.x"],
};

for (const [image, names] of Object.entries(MEANINGS)) {
  Deno.test(`namesOfImage() of ${image}`, () => assert.deepEqual(namesOfImage(image), names));
}

/** What a stranger may write as an image. */
const HOSTILE = [
  "",
  " ",
  ".",
  "..",
  "../x",
  "x/..",
  "x/../y",
  "../x:bookworm",
  "/etc",
  "/",
  "//",
  "a//b",
  "foo:",
  ":bar",
  ":",
  "a:b:c",
  "a:..",
  "a:../b",
  ".build",
  ".machines",
  "x:.leases",
  "config",
  "a@sha256:0123",
  "bookworm@sha256:0123",
  "a\0b",
  "a\nb",
  "bookworm\n",
  "a b",
  "-rf",
  "--help",
  "~",
  "$HOME",
  "`id`",
  "a;b",
  "*",
  "bоokworm", // with a Cyrillic letter
  "ｂookworm",
  "x".repeat(65),
  "a..b",
];

for (const image of HOSTILE) {
  Deno.test(`namesOfImage() leads ${JSON.stringify(image).slice(0, 40)} to no place outside`, () => {
    let names: readonly string[] = [];
    try {
      names = namesOfImage(image);
    } catch (error) {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, "refused");
      assert.ok(error.hint);
    }
    // `x:.leases` may still mean x-.leases: a plain name like any other.
    for (const name of names) assert.match(name, /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
    assert.ok(!names.includes("config") && !names.some((name) => name.includes("..")));
  });
}

Deno.test("namesOfImage() refuses what is no name at all", () => {
  for (const image of ["", "..", "/etc", "foo:", ":bar", "../x:bookworm", "a b", "config"]) {
    assert.throws(() => namesOfImage(image), Failure, image);
  }
});

Deno.test("chrootName() keeps a good name and refuses all others", () => {
  assert.equal(chrootName("x".repeat(64)), "x".repeat(64));
  for (const text of ["", ".x", "a/b", "config", "x".repeat(65)]) {
    assert.throws(() => chrootName(text), Failure);
    assert.ok(!isChrootName(text));
  }
});
