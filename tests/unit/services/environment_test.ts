import assert from "node:assert/strict";
import type { ServiceVariable } from "../../../src/gitlab/job_services.ts";
import { serviceEnvironment } from "../../../src/services/environment.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

interface Job {
  /** As GitLab sends it; undefined for a GitLab Runner without a response file. */
  readonly response?: Record<string, unknown> | undefined;
  /** What GitLab Runner passes to the program. */
  readonly values: Readonly<Record<string, string>>;
  readonly own?: readonly Partial<ServiceVariable>[];
}

/** Returns the environment of a service, sorted. */
async function environmentOf({ response, values, own = [] }: Job): Promise<string[]> {
  let environment: string[] = [];
  await inFolder(async (folder) => {
    const path = `${folder}/response.json`;
    if (response !== undefined) await Deno.writeTextFile(path, JSON.stringify(response));
    const env = {
      PATH: "/bin",
      ...(response === undefined ? {} : { JOB_RESPONSE_FILE: path }),
      ...Object.fromEntries(
        Object.entries(values).map(([name, value]) => [`CUSTOM_ENV_${name}`, value]),
      ),
    };
    const { host } = recordingHost({ env });
    const variables = own.map((one) => ({ key: "X", value: "", isRaw: false, ...one }));
    environment = await serviceEnvironment(host, { name: "redis", variables });
  });
  return environment.sort();
}

const shown = (key: string, value = "") => ({ key, value, public: true });
const secret = (key: string, value = "") => ({ key, value, public: false, masked: true });

Deno.test("serviceEnvironment() has public variables and GitLab Runner's own, and no secret", async () => {
  const response = {
    variables: [
      shown("CI"),
      shown("B", "$A"),
      secret("TOKEN"),
      secret("A"),
      { key: "OLD" },
      {},
      null,
    ],
    secrets: { VAULT: { vault: {} } },
  };
  const values = {
    CI: "true",
    B: "expanded by GitLab Runner\nin two lines",
    TOKEN: "t",
    A: "a",
    OLD: "o",
    VAULT: "v",
    CI_JOB_IMAGE: "ruby",
    DOCKER_AUTH_CONFIG: "{}",
    CI_SERVER_TLS_KEY_FILE: "key",
    "": "empty",
    "a b": "no name",
  };
  assert.deepEqual(await environmentOf({ response, values }), [
    "B=expanded by GitLab Runner\nin two lines",
    "CI=true",
    "CI_JOB_IMAGE=ruby",
  ]);
});

Deno.test("serviceEnvironment() has no password for registries and no secret, also where they are public", async () => {
  const response = {
    variables: [shown("DOCKER_AUTH_CONFIG"), shown("VAULT")],
    secrets: { VAULT: {} },
  };
  const values = { DOCKER_AUTH_CONFIG: "{}", VAULT: "v" };
  assert.deepEqual(await environmentOf({ response, values }), []);
});

Deno.test("serviceEnvironment() has the last public value of a variable that a secret has replaced", async () => {
  const response = {
    variables: [
      shown("A", "first"),
      shown("A", "$B-${B}-$$-$NONE."),
      secret("A", "s"),
      { ...shown("R", "$B"), raw: true },
      secret("R", "s"),
      { ...shown("F", "text"), file: true },
      secret("F", "s"),
      secret("P", "s"),
      shown("P", "unused"),
    ],
  };
  const values = { A: "s", B: "b", R: "s", F: "s", P: "p", RUNNER_TEMP_PROJECT_DIR: "/b/p.tmp" };
  assert.deepEqual(await environmentOf({ response, values }), [
    "A=b-b-$-.",
    "B=b",
    "F=/b/p.tmp/F",
    "P=p",
    "R=$B",
    "RUNNER_TEMP_PROJECT_DIR=/b/p.tmp",
  ]);
});

Deno.test("serviceEnvironment() expands a service's own variables by all of the job, also its secrets", async () => {
  const response = { variables: [secret("S"), { ...secret("F"), file: true }, shown("A")] };
  const values = { S: "secret", F: "content", A: "a", RUNNER_TEMP_PROJECT_DIR: "/t" };
  const own = [
    { key: "PASSWORD", value: "$S/${S}/$$S/$F/$OTHER/$" },
    { key: "RAW", value: "$S", isRaw: true },
    { key: "A", value: "first" },
    { key: "A", value: "own" },
    { key: "discovery.type", value: "single-node\n2" },
  ];
  assert.deepEqual(await environmentOf({ response, values, own }), [
    "A=own",
    "PASSWORD=secret/secret/$S//t/F//$",
    "RAW=$S",
    "RUNNER_TEMP_PROJECT_DIR=/t",
    "discovery.type=single-node\n2",
  ]);
});

Deno.test("serviceEnvironment() prefers a service's own variables where not all fit", async () => {
  const values = Object.fromEntries(
    Array.from({ length: 11 }, (_, index) => [`V${index}`, "x".repeat(90_000)]),
  );
  const own = [{ key: "OWN", value: "y".repeat(90_000) }];
  const environment = await environmentOf({ response: {}, values, own });
  assert.ok(environment.some((one) => one.startsWith("OWN=")));
  assert.equal(environment.length, 11);
});

Deno.test("serviceEnvironment() has only a service's own variables where nothing says which are secrets", async () => {
  const values = { CI: "true", TOKEN: "t" };
  const own = [{ key: "A", value: "$CI" }];
  assert.deepEqual(await environmentOf({ values, own }), ["A=true"]);
});

Deno.test("serviceEnvironment() refuses what cannot be a variable", async () => {
  const wrong = [{ key: "" }, { key: "A=B" }, { key: "A\nB" }, { key: "1" }, { value: "a\0b" }];
  for (const one of wrong) {
    await assert.rejects(environmentOf({ response: {}, values: {}, own: [one] }), {
      kind: "refused",
      message: /^Cannot start service "redis": ".*" cannot be one of its variables$/,
    });
  }
});
