import assert from "node:assert/strict";
import { dirname } from "@std/path/posix";
import type { Job } from "../../../../src/gitlab/job.ts";
import { findLogins } from "../../../../src/images/request/credentials.ts";
import { parseReference } from "../../../../src/images/request/reference.ts";
import { type Answer, inFolder, type Recording, recordingHost } from "../../recording_host.ts";
import { JOB } from "../../gitlab/fixture.ts";
import { homeIn } from "./fixture.ts";

const SECRET = "glpat-secret";

/** Docker's JSON with one user for each key. */
function auths(users: Readonly<Record<string, string>>, more: object = {}): string {
  const entries = Object.entries(users).map(([key, user]) =>
    [key, { auth: btoa(`${user}:${SECRET}`) }] as const
  );
  return JSON.stringify({ auths: Object.fromEntries(entries), ...more });
}

/** What a host and a job have. */
interface Sources {
  readonly job?: Partial<Job> | null;
  /** Files below the home of root. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly answer?: () => Answer;
}

/** Returns the user and the source of an image's credentials, with the host. */
async function find(image: string, { job = {}, files = {}, env = {}, answer }: Sources) {
  let found: readonly (string | undefined)[] = [];
  const elsewhere: Record<string, string> = {};
  let recording: Recording | undefined;
  await inFolder(async (folder) => {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    recording = recordingHost({
      env: { ...homeIn(folder), ...env },
      ...(answer === undefined ? {} : { answer }),
    });
    const reference = parseReference(image)!;
    const whole = job === null ? null : { ...JOB, ...job };
    const { credentials, mirrors } = await findLogins(recording.host, whole, reference);
    found = [credentials?.username, credentials?.source.replace(folder, "~")];
    for (const [scope, { username }] of mirrors) elsewhere[scope] = username;
  });
  return { ...recording!, user: found[0], source: found[1], elsewhere };
}

const LOGIN = { url: "reg.example", username: "gitlab-ci-token", password: SECRET };

Deno.test("findLogins() prefers DOCKER_AUTH_CONFIG to root's files, and these to GitLab's", async () => {
  const variable = { dockerAuthConfig: auths({ "reg.example": "variable" }) };
  const gitlab = { credentials: [LOGIN] };
  const files = { ".docker/config.json": auths({ "reg.example": "root" }) };
  const image = "reg.example/a/b:1";
  const all = await find(image, { job: { ...variable, ...gitlab }, files });
  assert.deepEqual([all.user, all.source], ["variable", "DOCKER_AUTH_CONFIG"]);
  const root = await find(image, { job: gitlab, files });
  assert.deepEqual([root.user, root.source], ["root", "~/.docker/config.json"]);
  const job = await find(image, { job: gitlab });
  assert.deepEqual([job.user, job.source], ["gitlab-ci-token", "GitLab, for this job"]);
  assert.equal((await find(image, {})).user, undefined);
  assert.equal((await find("other.example/a", { job: gitlab })).user, undefined);
  assert.equal((await find("reg.example:5000/a", { job: gitlab })).user, undefined);
});

Deno.test("findLogins() takes the longest path of all sources", async () => {
  const job = {
    dockerAuthConfig: auths({ "reg.example": "wrong", "reg.example/group": "right" }),
    credentials: [{ ...LOGIN, url: "reg.example/group/sub", username: "deepest" }],
  };
  assert.equal((await find("reg.example/group/img", { job })).user, "right");
  assert.equal((await find("reg.example/groups/img", { job })).user, "wrong");
  assert.equal((await find("reg.example/group/sub/img:1", { job })).user, "deepest");
});

Deno.test("findLogins() knows Docker's own registry by all its names", async () => {
  for (const key of ["https://index.docker.io/v1/", "docker.io", "docker.io/library/ruby"]) {
    const job = { dockerAuthConfig: auths({ [key]: "me" }) };
    assert.equal((await find("ruby:3", { job })).user, "me", key);
  }
});

Deno.test("findLogins() reads root's files in the order of containers-auth.json(5)", async () => {
  const files: Record<string, string> = {};
  const paths = [
    ".docker/config.json",
    ".config/containers/auth.json",
    "run/containers/auth.json",
  ];
  for (const path of paths) {
    files[path] = auths({ "reg.example": path });
    assert.equal((await find("reg.example/a", { job: null, files })).user, path);
  }
});

Deno.test("findLogins() skips a source that cannot be read, with one warning without its content", async () => {
  for (const text of [`{"auths":{"reg.example":"${SECRET}`, "[]", SECRET]) {
    const job = { dockerAuthConfig: text, credentials: [LOGIN] };
    const variable = await find("reg.example/a", { job });
    assert.equal(variable.user, "gitlab-ci-token");
    assert.match(variable.err(), /^Cannot read DOCKER_AUTH_CONFIG of the job: [^\n]*\n$/);
    const files = { ".docker/config.json": text };
    const root = await find("reg.example/a", { job: { credentials: [LOGIN] }, files });
    assert.equal(root.user, "gitlab-ci-token");
    assert.match(root.err(), /^Cannot read the credentials in [^\n]*config\.json[^\n]*\n$/);
    assert.ok(!`${variable.err()}${root.err()}`.includes(SECRET));
  }
});

Deno.test("findLogins() runs the helpers of root's files, which replace what the file has", async () => {
  const answer = () => ({ stdout: JSON.stringify({ Username: "helper", Secret: SECRET }) });
  const users = { "reg.example": "file", "other.example/group": "longer" };
  for (const more of [{ credsStore: "pass" }, { credHelpers: { "reg.example": "pass" } }]) {
    const files = { ".docker/config.json": auths(users, more) };
    const { user, commands } = await find("reg.example/a", { files, answer });
    assert.equal(user, "helper");
    assert.deepEqual(commands(), ["docker-credential-pass get"]);
  }
  const files = { ".docker/config.json": auths(users, { credsStore: "pass" }) };
  assert.equal((await find("other.example/group/a", { files, answer })).user, "longer");
  const failing = await find("reg.example/a", { files, answer: () => ({ code: 1 }) });
  assert.equal(failing.user, "file");
});

Deno.test("findLogins() runs no helper that a job names", async () => {
  const more = { credsStore: "evil", credHelpers: { "reg.example": "evil" } };
  const job = { dockerAuthConfig: auths({ "reg.example": "me" }, more) };
  const { user, processes, err } = await find("reg.example/a", { job });
  assert.equal(user, "me");
  assert.equal(processes.length, 0);
  assert.match(err(), /^The credential helpers of DOCKER_AUTH_CONFIG are not used/);
});

Deno.test("findLogins() gives what root has for other registries, which may be mirrors, and nothing of a job's", async () => {
  const files = {
    ".config/containers/auth.json": auths({ "mirror.example/hub": "first", "reg.example": "root" }),
    ".docker/config.json": auths({ "mirror.example/hub": "second", "https://other.example": "o" }),
  };
  const job = {
    dockerAuthConfig: auths({ "mirror.example": "job" }),
    credentials: [{ ...LOGIN, url: "gitlab.example" }],
  };
  const { user, elsewhere } = await find("reg.example/a:1", { job, files });
  assert.equal(user, "root");
  assert.deepEqual(elsewhere, { "mirror.example/hub": "first", "other.example": "o" });
});
