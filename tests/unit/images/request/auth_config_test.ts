import assert from "node:assert/strict";
import { parseAuthConfig } from "../../../../src/images/request/auth_config.ts";

function entriesOf(auths: unknown): Record<string, unknown> {
  return Object.fromEntries(parseAuthConfig(JSON.stringify({ auths }), "x")!.entries);
}

Deno.test("parseAuthConfig() reads a user and a password, from one text or from two", () => {
  assert.deepEqual(
    entriesOf({
      "one.example": { auth: btoa("me:a:b") },
      "two.example": { username: "me", password: "p" },
      "padded.example": { auth: btoa("me:p\0\0") },
      "utf8.example": { auth: "asO8cmdlbjrDpMO2" },
    }),
    {
      "one.example": { username: "me", password: "a:b", identityToken: null },
      "two.example": { username: "me", password: "p", identityToken: null },
      "padded.example": { username: "me", password: "p", identityToken: null },
      "utf8.example": { username: "jürgen", password: "äö", identityToken: null },
    },
  );
});

Deno.test("parseAuthConfig() reads an identity token", () => {
  assert.deepEqual(entriesOf({ "a.example": { auth: btoa("x:"), identitytoken: "t" } }), {
    "a.example": { username: "x", password: "", identityToken: "t" },
  });
});

Deno.test("parseAuthConfig() leaves out entries without credentials", () => {
  const odd = {
    "a.example": {},
    "b.example": null,
    "c.example": { auth: "%" },
    "d.example": { auth: btoa("x") },
    "e.example": { auth: 1 },
  };
  assert.deepEqual(entriesOf(odd), {});
});

Deno.test("parseAuthConfig() takes the first of two keys for the same registry", () => {
  const entry = (username: string) => ({ username, password: "p" });
  const entries = entriesOf({ "https://a.example/v2/": entry("1"), "a.example": entry("2") });
  assert.deepEqual(entries, {
    "a.example": { username: "1", password: "p", identityToken: null },
  });
});

Deno.test("parseAuthConfig() reads helpers", () => {
  const text = JSON.stringify({
    credsStore: "pass",
    credHelpers: { "https://a.example": "ecr", b: 1 },
  });
  const source = parseAuthConfig(text, "x")!;
  assert.equal(source.store, "pass");
  assert.deepEqual([...source.helpers], [["a.example", "ecr"]]);
});

Deno.test("parseAuthConfig() is null for any other text", () => {
  for (const text of ["", "x", "[]", "null", '{"auths":[]}', '{"auths":{"a', '{"credHelpers":1}']) {
    assert.equal(parseAuthConfig(text, "x"), null, text);
  }
});
