import assert from "node:assert/strict";
import {
  digestIn,
  isDigest,
  isImageReference,
  isJobImage,
  isPushTarget,
  layoutPath,
  withDigest,
  withoutTagBeforeDigest,
} from "../../../src/config/image_reference.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

/** Each text, and whether it is a reference, a target to push to, and an image of a job. */
const TEXTS: readonly (readonly [string, boolean, boolean, boolean])[] = [
  ["bookworm", true, false, true],
  ["python:3.12", true, false, true],
  ["library/python", true, false, true],
  ["library/python:3.12", true, false, true],
  ["localhost/ci:latest", true, true, true],
  ["registry.example/ci/bookworm", true, false, true],
  ["registry.example/ci/bookworm:v1", true, true, true],
  ["host:5000/a_b/c--d:v1", true, true, true],
  [`registry.example/ci@${DIGEST}`, true, false, true],
  [`registry.example/ci:v1@${DIGEST}`, true, false, true],
  [`localhost:5000/a/b/c@${DIGEST}`, true, false, true],
  ["registry.example/ci@sha256:0", false, false, false],
  ["Registry.example/ci:v1", false, false, true],
  ["registry.example/CI:v1", false, false, true],
  ["registry.example//ci:v1", false, false, true],
  ["user:secret@registry.example/ci:v1", false, false, false],
  ["/srv/image", false, false, false],
  ["-x/ci:v1", false, false, false],
  ["registry.example/ci:v1\n", false, false, false],
  ["a b", false, false, false],
  ["", false, false, false],
];

for (const [text, isReference, isTarget, isImage] of TEXTS) {
  Deno.test(`isImageReference(), isPushTarget(), isJobImage() of ${JSON.stringify(text)}`, () => {
    assert.equal(isImageReference(text), isReference);
    assert.equal(isPushTarget(text), isTarget);
    assert.equal(isJobImage(text), isImage);
  });
}

Deno.test("digestIn() and isDigest() accept 64 hexadecimal digits of SHA-256", () => {
  assert.equal(digestIn(`registry.example/ci:v1@${DIGEST}`), DIGEST);
  assert.equal(digestIn("registry.example/ci:v1"), null);
  assert.ok(isDigest(DIGEST));
  for (const text of ["", DIGEST.slice(1), `${DIGEST}0`, DIGEST.toUpperCase(), `${DIGEST}\n`]) {
    assert.ok(!isDigest(text), text);
  }
});

Deno.test("withDigest() replaces a tag or a digest, but no port", () => {
  const pinned = `docker://host:5000/ci@${DIGEST}`;
  assert.equal(withDigest("docker://host:5000/ci", DIGEST), pinned);
  assert.equal(withDigest("docker://host:5000/ci:v1", DIGEST), pinned);
  assert.equal(withDigest("docker://host:5000/ci@sha256:1", DIGEST), pinned);
});

Deno.test("withoutTagBeforeDigest() removes a tag only where a digest follows", () => {
  assert.equal(withoutTagBeforeDigest(`host:5000/ci:v1@${DIGEST}`), `host:5000/ci@${DIGEST}`);
  assert.equal(withoutTagBeforeDigest("host:5000/ci:v1"), "host:5000/ci:v1");
});

Deno.test("layoutPath() removes a tag", () => {
  assert.equal(layoutPath("/srv/image:v1.2"), "/srv/image");
  assert.equal(layoutPath("/srv/image"), "/srv/image");
});
