import assert from "node:assert/strict";
import { canonicalName, parseReference } from "../../../../src/images/request/reference.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

/** Each name as a job writes it, and as Docker resolves it. */
const RESOLVED: Readonly<Record<string, string>> = {
  "ruby": "docker.io/library/ruby:latest",
  "ruby:3.3": "docker.io/library/ruby:3.3",
  "library/ruby": "docker.io/library/ruby:latest",
  "docker.io/ruby": "docker.io/library/ruby:latest",
  "docker.io/library/ruby:3": "docker.io/library/ruby:3",
  "index.docker.io/tutum/wordpress": "docker.io/tutum/wordpress:latest",
  "Docker.IO/ruby": "docker.io/library/ruby:latest",
  "tutum/wordpress:1": "docker.io/tutum/wordpress:1",
  "localhost/a": "localhost/a:latest",
  "localhost:5000/a": "localhost:5000/a:latest",
  "127.0.0.1:5000/a/b/c/d:x": "127.0.0.1:5000/a/b/c/d:x",
  "reg.example/a": "reg.example/a:latest",
  "reg:5000/g/app:1": "reg:5000/g/app:1",
  "Registry.Example/a": "registry.example/a:latest",
  "LOCALHOST/a": "localhost/a:latest",
  "Group/app": "Group/app:latest",
  "[::1]:5000/a": "[::1]:5000/a:latest",
  [`ruby@${DIGEST}`]: `docker.io/library/ruby@${DIGEST}`,
  [`ruby:3.3@${DIGEST}`]: `docker.io/library/ruby@${DIGEST}`,
  "localhost": "docker.io/library/localhost:latest",
  "reg:5000": "docker.io/library/reg:5000", // no slash: a tag
  "a_b/c--d/e.f__g:T_a.g-": "docker.io/a_b/c--d/e.f__g:T_a.g-",
};

for (const [written, resolved] of Object.entries(RESOLVED)) {
  Deno.test(`parseReference() resolves ${written}`, () => {
    const reference = parseReference(written);
    assert.ok(reference !== null);
    assert.equal(reference.written, written);
    assert.equal(canonicalName(reference), resolved);
  });
}

Deno.test("parseReference() keeps the tag that stands before a digest", () => {
  assert.deepEqual(parseReference(`reg.example:5000/a/b:1@${DIGEST}`), {
    written: `reg.example:5000/a/b:1@${DIGEST}`,
    registry: "reg.example:5000",
    repository: "a/b",
    tag: "1",
    digest: DIGEST,
  });
  assert.equal(parseReference(`a@${DIGEST}`)?.tag, null);
});

/** What a stranger may write as an image. */
const HOSTILE = [
  "",
  "Ruby",
  "library/Ruby",
  "reg.example/Group/app",
  "a b",
  "ruby\n",
  "\nruby",
  "-x/y",
  "--all",
  "../x",
  "a/../b",
  "a//b",
  "/a",
  "a/",
  "a:",
  "a:b:c",
  ":a",
  "a@",
  "a@sha256:0",
  `a@${DIGEST.toUpperCase()}`,
  `a@sha512:${"0".repeat(128)}`,
  `a@${DIGEST}@${DIGEST}`,
  "user:secret@reg.example/x",
  "https://reg.example/x",
  "docker://reg.example/x",
  "reg.example:port/x",
  "reg.example:123456/x",
  "-reg.example/x",
  "reg..example/x",
  "a$(id)",
  "a;b",
  "bоokworm", // with a Cyrillic letter
  "[::1/x",
  "0123456789abcdef".repeat(4), // Docker: the id of an image
  `a:${"x".repeat(129)}`,
  `reg.example/${"x".repeat(255)}`,
];

for (const text of HOSTILE) {
  Deno.test(`parseReference() refuses ${JSON.stringify(text).slice(0, 40)}`, () => {
    assert.equal(parseReference(text), null);
  });
}
