import assert from "node:assert/strict";
import { askHelper } from "../../../../src/images/request/credential_helper.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";

const SECRET = "glpat-secret";

async function ask(answer: Answer | Error, scope = "reg.example", name = "pass") {
  const recording = recordingHost({
    env: { HOME: "/home/ci", AWS_REGION: "eu-1", CUSTOM_ENV_LD_PRELOAD: "/evil.so" },
    answer() {
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { ...recording, entry: await askHelper(recording.host, name, scope, "/root/auth.json") };
}

const GOOD = { stdout: JSON.stringify({ ServerURL: "x", Username: "me", Secret: SECRET }) };

Deno.test("askHelper() asks docker-credential-NAME, without any variable of the job", async () => {
  const { entry, processes } = await ask(GOOD);
  assert.deepEqual(entry, { username: "me", password: SECRET, identityToken: null });
  const [{ argv, options }] = processes as [typeof processes[0]];
  assert.deepEqual(argv, ["docker-credential-pass", "get"]);
  assert.equal((options as { stdin: string }).stdin, "reg.example");
  assert.equal(options.env?.["AWS_REGION"], "eu-1");
  assert.equal(options.env?.["HOME"], "/home/ci");
  assert.ok(!JSON.stringify(options.env).includes("evil"));
});

Deno.test("askHelper() asks for Docker's own registry by the name under which Docker keeps it", async () => {
  const { processes } = await ask(GOOD, "docker.io");
  assert.equal((processes[0]!.options as { stdin: string }).stdin, "https://index.docker.io/v1/");
});

Deno.test("askHelper() knows an identity token by its user", async () => {
  const { entry } = await ask({ stdout: JSON.stringify({ Username: "<token>", Secret: SECRET }) });
  assert.deepEqual(entry, { username: "", password: "", identityToken: SECRET });
});

Deno.test("askHelper() is null where the helper has no credentials, without a warning", async () => {
  const { entry, err } = await ask({
    code: 1,
    stdout: "credentials not found in native keychain\n",
  });
  assert.equal(entry, null);
  assert.equal(err(), "");
});

Deno.test("askHelper() warns of a helper that fails, and does not quote it", async () => {
  const failures: readonly (Answer | Error)[] = [
    { code: 1, stdout: SECRET, stderr: SECRET },
    { stdout: SECRET },
    { stdout: JSON.stringify({ Username: 1, Secret: SECRET }) },
    new Error(`not installed: ${SECRET}`),
  ];
  for (const failure of failures) {
    const { entry, err } = await ask(failure);
    assert.equal(entry, null);
    assert.equal(err(), "Cannot use credential helper pass of /root/auth.json: it failed\n");
  }
});

Deno.test("askHelper() runs no path", async () => {
  for (const name of ["../evil", "/tmp/evil", "-x", "a b", ""]) {
    const { entry, processes } = await ask(GOOD, "reg.example", name);
    assert.equal(entry, null);
    assert.equal(processes.length, 0);
  }
});
