import assert from "node:assert/strict";
import type { ConfiguredService } from "../../../src/config/configured_service.ts";
import { parseServices } from "../../../src/gitlab/job_services.ts";
import { declaredServices } from "../../../src/services/declared.ts";

const ANY = { allowed_services: ["**"], services_limit: 50 };

function configured(name: string, more: Partial<ConfiguredService> = {}): ConfiguredService {
  return { name, alias: "", entrypoint: [], command: [], variables: {}, ...more };
}

function namesOf(...args: Parameters<typeof declaredServices>): string[] {
  return declaredServices(...args).map(({ name }) => name);
}

Deno.test("declaredServices() returns those of the administrator, then those of the job", () => {
  const own = parseServices([{ name: "a", alias: "x" }, "b"]);
  const more = {
    alias: "db",
    entrypoint: ["run"],
    command: ["-x"],
    variables: { A: "$B", C: "d" },
  };
  assert.deepEqual(declaredServices(ANY, [configured("c", more), configured("d")], own), [
    {
      name: "c",
      alias: "db",
      entrypoint: ["run"],
      command: ["-x"],
      variables: [{ key: "A", value: "$B", isRaw: false }, { key: "C", value: "d", isRaw: false }],
      options: { entrypoint: ["run"], pullPolicies: [], user: null, platform: null },
    },
    ...parseServices(["d"]),
    ...own,
  ]);
  assert.deepEqual(declaredServices(ANY, [], []), []);
});

Deno.test("declaredServices() refuses too many, those of the administrator included", () => {
  const own = parseServices(["a", "b"]);
  assert.equal(namesOf({ ...ANY, services_limit: 3 }, [configured("c")], own).length, 3);
  assert.throws(() => namesOf({ ...ANY, services_limit: 2 }, [configured("c")], own), {
    kind: "refused",
    message: "Cannot start 3 services: at most 2 are allowed on this host",
    hint: /services_limit/,
  });
  assert.deepEqual(namesOf({ ...ANY, services_limit: 0 }, [], []), []);
});

Deno.test("declaredServices() leaves out a service whose variable is empty, as Docker's executor does", () => {
  assert.deepEqual(namesOf(ANY, [], parseServices(["redis", ""])), ["redis"]);
});

Deno.test("declaredServices() refuses a service of the job that no pattern allows, with the patterns", () => {
  const config = { ...ANY, allowed_services: ["docker.io/library/*", "!**/kali"] };
  assert.deepEqual(namesOf(config, [], parseServices(["redis:7"])), ["redis:7"]);
  for (const name of ["kali", "quay.io/a"]) {
    assert.throws(() => namesOf(config, [], parseServices(["redis", { name }])), {
      kind: "refused",
      message: `Cannot start service "${name}": jobs may not use it on this host`,
      hint: /^Jobs may use: docker\.io\/library\/\*, !\*\*\/kali\. .*allowed_services/,
    });
  }
  assert.throws(() => namesOf({ ...ANY, allowed_services: [] }, [], parseServices(["redis"])), {
    hint: /^Jobs may use: none\./,
  });
});

Deno.test("declaredServices() allows what the administrator starts, and its name to jobs as well", () => {
  const config = { ...ANY, allowed_services: [] };
  assert.deepEqual(namesOf(config, [configured("redis:7")], parseServices(["redis:7"])), [
    "redis:7",
    "redis:7",
  ]);
  assert.throws(() => namesOf(config, [configured("redis:7")], parseServices(["redis"])));
});
