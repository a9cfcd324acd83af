import assert from "node:assert/strict";
import { chrootNamesIn, isChrootName, namesOfImage } from "../../../src/config/chroot_name.ts";
import { Failure } from "../../../src/failure.ts";

const MEANINGS: Readonly<Record<string, readonly string[]>> = {
  "bookworm": ["bookworm"],
  "debian:bookworm": ["debian-bookworm", "bookworm"],
  "python:3.11": ["python-3.11", "3.11"],
  "registry.example/ci/bookworm": ["bookworm"],
  "registry.example:5000/ci/debian:bookworm": ["debian-bookworm", "bookworm"],
  "Debian_12.x": ["Debian_12.x"],
  "DEBIAN:Bookworm": ["DEBIAN-Bookworm", "Bookworm"],
  "debian:config": ["debian-config"],
  "x:.leases": ["x-.leases"], // a plain name like any other
  "x:-rf": ["x--rf"],
  [`${"x".repeat(60)}:bookworm`]: ["bookworm"], // both would be too long
  "localhost:5000/bookworm": ["bookworm"],
  "config/bookworm": ["bookworm"],
};

for (const [image, names] of Object.entries(MEANINGS)) {
  Deno.test(`namesOfImage() of ${image}`, () => {
    assert.deepEqual(namesOfImage(image), names);
    assert.deepEqual(chrootNamesIn(image), names);
  });
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
  "config",
  "config:bookworm",
  "registry/config",
  ".hidden/bookworm",
  "-x/bookworm",
  "a b/bookworm",
  "a..b/bookworm",
  "/bookworm",
  "bookworm/",
  "a/b:",
  "a:b/c:d:e",
  "a@sha256:0123",
  `debian@sha256:${"0".repeat(64)}`,
  "user@registry/bookworm",
  "bookworm@sha256:0123",
  "a\0b",
  "a\nb",
  "bookworm\n",
  "bookworm\r",
  "\nbookworm",
  "debian:bookworm\n",
  "debian:book\0worm",
  "debian\n/bookworm",
  "\u202Ebookworm",
  "book\u200Bworm",
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
  `debian:${"x".repeat(65)}`,
  "a..b",
];

for (const image of HOSTILE) {
  Deno.test(`namesOfImage() refuses ${JSON.stringify(image).slice(0, 40)}`, () => {
    assert.deepEqual(chrootNamesIn(image), []);
    assert.throws(() => namesOfImage(image), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, "refused");
      assert.ok(error.hint);
      // What a stranger wrote is quoted: no line of a log is his.
      assert.ok(error.message.includes(JSON.stringify(image)));
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  });
}

Deno.test("namesOfImage() says of a digest what is wrong with it", () => {
  for (const image of ["debian@sha256:0123", "debian:bookworm@sha256:0123"]) {
    assert.throws(() => namesOfImage(image), { message: /no digest$/, hint: /without '@'$/ });
  }
});

Deno.test("isChrootName() takes a good name and refuses all others", () => {
  for (const name of ["x".repeat(64), "a", "9", "A.b_c-d", "a.", "a-", "configs", "Config"]) {
    assert.ok(isChrootName(name), name);
  }
  const bad = ["", ".x", "..", "a..b", "a/b", "config", "x".repeat(65), "a:b", "_a", "a\n", "ä"];
  for (const text of bad) {
    assert.ok(!isChrootName(text), text);
  }
});
