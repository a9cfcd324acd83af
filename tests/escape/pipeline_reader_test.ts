/** What the file of a pipeline may do where it is expanded: gitlab-ci-local evaluates its rules as JavaScript. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { withWorkingCopy } from "../integration/working_copy.ts";

/** Returns a file whose rule runs JavaScript. */
function fileWith(code: string): string {
  return `job:\n  script: make\n  rules:\n    - if: ${JSON.stringify(`(() => {${code}})()`)}\n`;
}

/** Sends the values of an expression with the warnings. */
const report = (expression: string) =>
  `nspawnRunner.duplicate({ mark: { line: 0 } }, "/report " + JSON.stringify(${expression})); return true;`;

onEachHost("the file of a pipeline is expanded apart from the host", async (site) => {
  const attempts = `
    const tried = (act) => { try { return act() ?? "done"; } catch (error) { return error.name; } };
    const sh = (script) => {
      const { code, stdout } = new Deno.Command("sh", { args: ["-c", script] }).outputSync();
      return code === 0 ? new TextDecoder().decode(stdout).trim() : code;
    };
    ${
    report(`{
      input: tried(() => sh("touch /run/nspawn-runner/input/mark 2>/dev/null")),
      program: tried(() => sh(": >>" + Deno.execPath() + " 2>/dev/null")),
      links: tried(() => sh("ls /sys/class/net")),
      host: tried(() => sh("ls /var/lib/nspawn-runner /etc/nspawn-runner 2>/dev/null | wc -l")),
      services: tried(() => sh("grep -l systemd /proc/[0-9]*/comm || true")),
      environment: Object.keys(Deno.env.toObject()).filter((name) => /SECRET/.test(name)),
    }`)
  }`;
  await withWorkingCopy(site, fileWith(attempts), {}, async (copy) => {
    const done = await copy.pipeline(["--list"], { env: { SECRET_OF_THE_HOST: "1" } });
    assert.equal(done.code, 0, done.stderr);
    const [, text] = done.stderr.match(/report (\{.*\}) line 1:/) ?? [];
    assert.deepEqual(JSON.parse(text ?? done.stderr), {
      input: 1,
      program: 2,
      links: "lo",
      host: "0",
      services: "",
      environment: [],
    });
  });
});

onEachHost("the output of the program that expands the file is bounded", async (site) => {
  // The shell above it prints the answer.
  const flood =
    `new Deno.Command("sh", { args: ["-c", "cat /dev/zero >/proc/$1/fd/1", "sh", String(Deno.ppid)] }).outputSync();`;
  await withWorkingCopy(site, fileWith(flood), {}, async (copy) => {
    const done = await copy.pipeline(["--list"]);
    assert.equal(done.code, 1);
    assert.match(done.stderr, /it has more than 64 MiB/);
  });
});

onEachHost("an answer that the file forges is checked", async (site) => {
  const forge = (answer: object) =>
    `nspawnRunner.finish = () => {}; Deno.writeTextFileSync("/tmp/answer", ${
      JSON.stringify(JSON.stringify(answer))
    }); Deno.exit(0);`;
  const jobs = [{ name: "a", key: "a", when: "on_success", data: { script: [{}] }, globals: {} }];
  const answer = { kind: "pipeline", stages: ["test"], jobs, warnings: [], runs: true };
  await withWorkingCopy(site, fileWith(forge(answer)), {}, async (copy) => {
    const done = await copy.pipeline(["--list"]);
    assert.equal(done.code, 1);
    assert.match(done.stderr, /Cannot read the pipeline: job "a": script must be a text/);
  });
});
