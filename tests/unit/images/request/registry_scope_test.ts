import assert from "node:assert/strict";
import { parseReference } from "../../../../src/images/request/reference.ts";
import { scopeOfKey, scopesOf } from "../../../../src/images/request/registry_scope.ts";

Deno.test("scopesOf() returns the image's path and those above it, the longest first", () => {
  assert.deepEqual(scopesOf(parseReference("Reg.example:5000/a/b:1")!), [
    "reg.example:5000/a/b",
    "reg.example:5000/a",
    "reg.example:5000",
  ]);
  assert.deepEqual(scopesOf(parseReference("ruby")!), [
    "docker.io/library/ruby",
    "docker.io/ruby",
    "docker.io/library",
    "docker.io",
  ]);
});

/** Keys of Docker's configuration, and what they mean. */
const KEYS: Readonly<Record<string, string>> = {
  "https://index.docker.io/v1/": "docker.io",
  "index.docker.io": "docker.io",
  "docker.io": "docker.io",
  "https://reg.example:5000/v2/": "reg.example:5000",
  "http://Reg.Example": "reg.example",
  "reg.example:5000": "reg.example:5000",
  "reg.example:5000/": "reg.example:5000",
  "Reg.example/group": "reg.example/group",
  "reg.example/group/": "reg.example/group",
  "reg.example:5000/group/img:1.2": "reg.example:5000/group/img",
};

for (const [key, scope] of Object.entries(KEYS)) {
  Deno.test(`scopeOfKey() of ${key}`, () => assert.equal(scopeOfKey(key), scope));
}
