/** Writes the man pages, and has the programs that show man pages check them. */

import assert from "node:assert/strict";
import { SETTINGS } from "../../src/config/schema.ts";
import { assertUpToDate } from "./generated.ts";
import { filesPage, programPage } from "./generate/man.ts";
import { runTool } from "./generate/tool.ts";
import { CHECKOUT } from "./source.ts";

const PAGES = {
  "share/man/man1/nspawn-runner.1": programPage,
  "share/man/man5/nspawn-runner.toml.5": filesPage,
};

for (const [path, page] of Object.entries(PAGES)) {
  Deno.test(`${path} has the tables of commands and settings`, async () => {
    await assertUpToDate(path, page());
  });

  Deno.test(`man shows ${path} without a warning`, async () => {
    const name = `man shows ${path} without a warning`;
    const env = {
      PATH: Deno.env.get("PATH") ?? "",
      LC_ALL: "C.UTF-8",
      MANWIDTH: "80",
    };
    const done = await runTool(name, ["man", "--warnings=all", "--local-file", path], {
      cwd: CHECKOUT,
      env,
    });
    if (done === null) return;
    assert.equal(done.stderr, "");
    assert.equal(done.code, 0);
  });

  Deno.test(`mandoc finds nothing wrong in ${path}`, async () => {
    const name = `mandoc finds nothing wrong in ${path}`;
    const done = await runTool(name, ["mandoc", "-T", "lint", "-W", "warning", path], {
      cwd: CHECKOUT,
    });
    if (done === null) return;
    // Like those of systemd, the pages have a version instead of a date.
    const lines = done.stdout.split("\n").filter((line) => !/ missing date, |^$/.test(line));
    assert.deepEqual(lines, []);
  });
}

Deno.test("nspawn-runner.toml(5) has each setting with its allowed values", () => {
  const terms = filesPage().match(/(?<=^\.TP\n\\fB)[a-z_.]+(?=\\fR)/gm);
  assert.deepEqual(terms?.sort(), SETTINGS.map(({ key }) => key).sort());
});
