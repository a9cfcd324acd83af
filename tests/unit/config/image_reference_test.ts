import assert from "node:assert/strict";
import {
  isImageReference,
  isJobImage,
  isPushTarget,
  layoutPath,
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

Deno.test("layoutPath() removes a tag", () => {
  assert.equal(layoutPath("/srv/image:v1.2"), "/srv/image");
  assert.equal(layoutPath("/srv/image"), "/srv/image");
});
