import assert from "node:assert/strict";
import { skip } from "../../skip.ts";

const ROOT = new URL("../../../", import.meta.url);

/** Options of deno for each source of packages. */
const ROUTES = {
  jsr: [],
  npm: ["--import-map=npm/import_map.json", "--lock=npm/deno.lock", "--frozen"],
} as const;

/** Milliseconds: a firewall may drop packets to a registry without an answer. */
const TIME_OUT = 20_000;

async function deno(...args: string[]): Promise<{ success: boolean; out: string; err: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    signal: AbortSignal.timeout(TIME_OUT),
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

async function probe(route: keyof typeof ROUTES): Promise<Record<string, unknown>> {
  const { success, out, err } = await deno(
    "run",
    "--quiet",
    "--no-prompt",
    ...ROUTES[route],
    "tests/unit/routes/probe.ts",
  );
  assert.ok(success, err);
  return JSON.parse(out);
}

Deno.test("routes: deno.json and npm/import_map.json have the same specifiers, in exact versions", async () => {
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(new URL(path, ROOT)));
  const jsr: Record<string, string> = (await read("deno.json")).imports;
  const npm: Record<string, string> = (await read("npm/import_map.json")).imports;
  for (const [specifier, target] of Object.entries(jsr)) {
    // gitlab-ci-local is on npm alone.
    const isExact = /^(?:jsr:@std\/[a-z]+@\d+\.\d+\.\d+\/|npm:gitlab-ci-local@\d+\.\d+\.\d+$)/;
    assert.match(target, isExact, "an exact version");
    assert.ok(specifier in npm, `npm/import_map.json lacks ${specifier}`);
  }
  for (const target of Object.values(npm)) {
    assert.match(target, /^(\.\/[a-z_]+\.ts|npm:[a-z-]+@\d+\.\d+\.\d+)$/);
  }
});

Deno.test("routes: the npm packages return what the project relies on", async () => {
  const { words, toml, yaml, urls } = await probe("npm") as Record<string, unknown[]>;
  assert.deepEqual(words![3], { _: ["1e3", "0x10", "007"], id: "7", json: false, v: false });
  assert.deepEqual(toml![1], { a: { b: 1, c: -2 }, "d e": 1000 });
  assert.deepEqual(yaml![0], null);
  assert.deepEqual(urls, ["/a/b", "/a b%", "/"]);
});

Deno.test("routes: JSR and npm packages return the same", async () => {
  const there = await deno("cache", "--quiet", "tests/unit/routes/probe.ts").catch(() => null);
  if (!there?.success) {
    return skip("routes: JSR and npm packages return the same", "JSR cannot be reached");
  }
  assert.deepEqual(await probe("jsr"), await probe("npm"));
});
