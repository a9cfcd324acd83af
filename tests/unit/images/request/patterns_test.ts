import assert from "node:assert/strict";
import {
  allowsService,
  matchesPatterns,
  patternFor,
} from "../../../../src/images/request/patterns.ts";
import { parseReference } from "../../../../src/images/request/reference.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

function allows(patterns: readonly string[], image: string): boolean {
  return matchesPatterns(patterns, parseReference(image)!);
}

Deno.test("matchesPatterns() compares the name as written, and as resolved", () => {
  for (const image of ["ruby", "ruby:latest", "docker.io/ruby", "library/ruby", `ruby@${DIGEST}`]) {
    assert.ok(allows(["docker.io/library/*"], image), image);
  }
  assert.ok(allows(["ruby"], "ruby"));
  assert.ok(!allows(["ruby"], "docker.io/library/ruby"), "that is not what is written");
  assert.ok(!allows(["docker.io/library/*"], "tutum/ruby"));
  assert.ok(allows(["reg.example/**"], "Reg.Example/a/b:1"));
  assert.ok(!allows(["reg.example/**"], "reg.example.evil/a"));
  assert.ok(!allows(["reg.example/**"], "reg.example:5000/a"));
  assert.ok(!allows([], "ruby"));
});

Deno.test("matchesPatterns() excludes what a pattern with ! matches, wherever it stands in the list", () => {
  const lists = [["docker.io/**", "!**/kali*"], ["!docker.io/library/kali*", "docker.io/**"]];
  for (const patterns of lists) {
    assert.ok(allows(patterns, "ruby"));
    for (const image of ["kali", "kali:1", "docker.io/library/kali", `kali@${DIGEST}`]) {
      assert.ok(!allows(patterns, image), image);
    }
  }
  assert.ok(!allows(["!docker.io/**"], "reg.example/a"), "a list of exclusions allows nothing");
});

Deno.test("matchesPatterns() sees the tag that stands before a digest", () => {
  assert.ok(allows(["docker.io/library/ruby:3*"], `ruby:3.3@${DIGEST}`));
  assert.ok(!allows(["docker.io/library/ruby:3*"], `ruby@${DIGEST}`));
  assert.ok(!allows(["docker.io/**", "!**/ruby@*"], `ruby:3.3@${DIGEST}`));
});

Deno.test("patternFor() returns a pattern that allows the image", () => {
  const expected = {
    "ruby:3": "docker.io/library/ruby:*",
    "reg.example:5000/a/b": "reg.example:5000/a/b:*",
    [`reg.example/a:1@${DIGEST}`]: "reg.example/a@*",
    "[::1]:5000/a": "\\[::1\\]:5000/a:*",
  };
  for (const [image, pattern] of Object.entries(expected)) {
    assert.equal(patternFor(parseReference(image)!), pattern);
    assert.ok(allows([pattern], image), image);
  }
});

Deno.test("matchesPatterns() refuses a pattern that it cannot compile", () => {
  for (const patterns of [["[z-a]"], ["**", "![z-a]"]]) {
    assert.throws(() => allows(patterns, "ruby"), {
      kind: "refused",
      message: 'Cannot use pull: "[z-a]" is no pattern',
    });
  }
});

Deno.test("allowsService() compares names as matchesPatterns() does, also those that only a chroot can have", () => {
  assert.ok(allowsService(["docker.io/library/*"], "redis:7"));
  assert.ok(!allowsService(["docker.io/library/*", "!**/redis*"], "redis:7"));
  assert.ok(!allowsService(["docker.io/library/*"], "Chroot"));
  assert.ok(!allowsService([], "redis"));
  for (const name of ["Chroot", "redis", "reg.example:5000/a/b:1", ""]) {
    assert.ok(allowsService(["**"], name), name);
  }
  assert.ok(allowsService(["Ch*"], "Chroot"));
  assert.throws(() => allowsService(["[z-a]"], "redis"), {
    kind: "refused",
    message: 'Cannot use allowed_services: "[z-a]" is no pattern',
  });
});
