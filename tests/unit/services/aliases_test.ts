import assert from "node:assert/strict";
import { Failure } from "../../../src/failure.ts";
import { assignAliases } from "../../../src/services/aliases.ts";

type Declared = readonly [name: string, alias?: string];

function assign(...services: Declared[]) {
  return assignAliases(services.map(([name, alias = ""]) => ({ name, alias })));
}

function aliasesOf(...services: Declared[]) {
  return assign(...services).map(({ aliases }) => aliases);
}

function notesOf(...services: Declared[]) {
  return assign(...services).flatMap(({ notes }) => notes);
}

const DIGEST = `sha256:${"0a".repeat(32)}`;

Deno.test("assignAliases() derives the aliases that Docker derives", () => {
  const expected: Readonly<Record<string, readonly string[]>> = {
    postgres: ["postgres"],
    "postgres:16": ["postgres"],
    [`postgres@${DIGEST}`]: ["postgres"],
    [`postgres:16@${DIGEST}`]: ["postgres"],
    "tutum/wordpress:latest": ["tutum__wordpress", "tutum-wordpress"],
    "reg.example:5000/g/app:1": ["reg.example__g__app", "reg.example-g-app"],
    "reg:5000/g/app": ["reg__g__app", "reg-g-app"],
    "localhost:5000/a": ["localhost__a", "localhost-a"],
    "[::1]:5000/a": ["[::1]__a", "[::1]-a"],
    "docker.io/library/redis:7": ["docker.io__library__redis", "docker.io-library-redis"],
    "my_app": ["my_app"],
    "G/app": ["G__app", "G-app"],
  };
  for (const [name, aliases] of Object.entries(expected)) {
    assert.deepEqual(assign([name]), [{ aliases, notes: [] }], name);
  }
});

Deno.test("assignAliases() adds the job's own aliases, between commas and spaces", () => {
  assert.deepEqual(aliasesOf(["postgres:16", "db,database pg"]), [
    ["postgres", "db", "database", "pg"],
  ]);
  assert.deepEqual(aliasesOf(["redis", ", cache,,redis "]), [["redis", "cache"]]);
});

Deno.test("assignAliases() takes names that are no host names of DNS, but none that breaks /etc/hosts", () => {
  assert.deepEqual(assign(["redis", "My_Cache -x- bücher 1.2 DB db"]), [
    { aliases: ["redis", "My_Cache", "-x-", "bücher", "1.2", "DB", "db"], notes: [] },
  ]);
  const long = "a".repeat(256);
  assert.deepEqual(assign(["redis", `a#b,c\td,e\nf,g\u2028h,i\u00a0j,k\0l,\u202em,${long},good`]), [
    {
      aliases: ["redis", "good"],
      notes: ["a#b", "c\td", "e\nf", "g\u2028h", "i\u00a0j", "k\0l", "\u202em", long].map((alias) =>
        `Service "redis" is not reached as ${
          JSON.stringify(alias.slice(0, 100))
        }: /etc/hosts can have no such name`
      ),
    },
  ]);
});

Deno.test("assignAliases() gives a name to the first service that asks for it", () => {
  assert.deepEqual(assign(["mysql:8", "db"], ["mysql:5.7", "DB,old"]), [
    { aliases: ["mysql", "db"], notes: [] },
    {
      aliases: ["old"],
      notes: [
        'Service "mysql:5.7" is not reached as mysql: that is service "mysql:8"',
        'Service "mysql:5.7" is not reached as DB: that is service "mysql:8"',
      ],
    },
  ]);
});

Deno.test("assignAliases() numbers the names of a service whose names are all taken", () => {
  assert.deepEqual(aliasesOf(["mysql:8"], ["mysql:5.7"], ["mysql"]), [
    ["mysql"],
    ["mysql-2"],
    ["mysql-3"],
  ]);
  assert.deepEqual(notesOf(["mysql:8"], ["mysql:5.7"]), [
    'Service "mysql:5.7" is reached as mysql-2: mysql is service "mysql:8"',
  ]);
  assert.deepEqual(aliasesOf(["a/b"], ["a/b"]), [["a__b", "a-b"], ["a__b-2", "a-b-2"]]);
});

Deno.test("assignAliases() numbers no service with a name that another one asks for", () => {
  assert.deepEqual(aliasesOf(["mysql"], ["mysql"], ["redis", "mysql-2"]), [
    ["mysql"],
    ["mysql-3"],
    ["redis", "mysql-2"],
  ]);
  assert.deepEqual(aliasesOf(["a/b"], ["a/b"], ["c", "a-b-2"]), [
    ["a__b", "a-b"],
    ["a__b-3", "a-b-3"],
    ["c", "a-b-2"],
  ]);
});

Deno.test("assignAliases() gives no service the name of the job or of each machine itself", () => {
  assert.deepEqual(assign(["build:1"], ["redis", "Build localhost"]), [
    { aliases: ["build-2"], notes: ['Service "build:1" is reached as build-2: build is the job'] },
    {
      aliases: ["redis"],
      notes: [
        'Service "redis" is not reached as Build: that is the job',
        'Service "redis" is not reached as localhost: that is the machine itself',
      ],
    },
  ]);
});

Deno.test("assignAliases() starts a service without a valid image's name under its alias alone", () => {
  assert.deepEqual(assign(["G/App", "app"]), [{ aliases: ["app"], notes: [] }]);
});

Deno.test("assignAliases() refuses a service that has no name at all", () => {
  for (const name of ["", "G/App", "a b", "a@sha256:0", `a/${"-".repeat(100_000)}!`]) {
    assert.throws(
      () => assign([name, ", #"]),
      (error) =>
        error instanceof Failure && error.kind === "refused" &&
        /^Cannot start service .*: it has no alias, and none follows from its name$/.test(
          error.message,
        ),
      name,
    );
  }
});

Deno.test("assignAliases() refuses a service with more aliases than a hosts file could hold", () => {
  const aliases = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);
  assert.equal(aliasesOf(["redis", aliases(49).join(",")])[0]!.length, 50);
  for (const count of [50, 200_000]) {
    assert.throws(() => assign(["redis", aliases(count).join(",")]), {
      kind: "refused",
      message: `Cannot start service "redis": it has ${
        count + 1
      } aliases, and at most 50 are possible`,
    });
  }
});
