/** The library: the examples of docs/library.md, and programs that end in other ways. */

import assert from "node:assert/strict";
import { leasesOf } from "../conformance/stages.ts";
import { must, type Options, type Result, type Running } from "../hosts/command.ts";
import { onEachBoot, onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import { BUSYBOX, linkHelper, withTwoRoots } from "./helper_root.ts";
import { linkChroot, PATIENCE, succeed, withStore } from "./store.ts";

const CHECKOUT = new URL("../..", import.meta.url).pathname;

/** The name by which the documents import the library. */
const PACKAGE = "jsr:@nspawn-runner/nspawn-runner";

/** The options of deno by which packages come from where this test has them. */
const ROUTE = import.meta.resolve("@std/path/posix").endsWith("/npm/path_posix.ts")
  ? ["--import-map=npm/import_map.json", "--lock=npm/deno.lock", "--frozen"]
  : [];

/** Programs as one file each, by their texts. */
const bundles = new Map<string, Promise<string>>();

function bundle(program: string): Promise<string> {
  const made = bundles.get(program) ?? makeBundle(program);
  bundles.set(program, made);
  return made;
}

/** Writes programs to files that import the library of this checkout, and removes them afterwards. */
async function withFiles<T>(
  programs: readonly string[],
  act: (files: readonly string[]) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    const files = programs.map((_, index) => `${folder}/${index}.ts`);
    for (const [index, program] of programs.entries()) {
      const text = program.replaceAll(PACKAGE, `${CHECKOUT}mod.ts`);
      await Deno.writeTextFile(files[index]!, text);
    }
    return await act(files);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const deno = (...words: string[]) => must([Deno.execPath(), ...words], { cwd: CHECKOUT });

function makeBundle(program: string): Promise<string> {
  return withFiles([program], async ([file]) => {
    await deno("bundle", ...ROUTE, `--output=${file}.js`, file!);
    return await Deno.readTextFile(`${file}.js`);
  });
}

/** Checks the types of programs, as a person's editor does. */
function checkTypes(programs: readonly string[]): Promise<string> {
  return withFiles(programs, (files) => deno("check", ...ROUTE, ...files));
}

/** Starts a program on a host, which gets a copy of this Deno. */
async function startProgram(
  { host, config, put }: Site,
  program: string,
  options: Options = {},
): Promise<Running> {
  const own = `${host.store}/.tests/deno`;
  if (await Deno.stat(host.outerPath(own)).catch(() => null) === null) {
    await must(["cp", "--reflink=auto", Deno.execPath(), host.outerPath(own)]);
  }
  const path = await put(await bundle(program), `${host.store}/.tests/program-${newJob()}.js`);
  const env = {
    NSPAWN_RUNNER_CONFIG: config,
    DENO_DIR: `${host.store}/.tests/deno_dir`,
    NO_COLOR: "1",
  };
  const words = [own, "run", "--no-config", "--no-lock", "--allow-all", path];
  return host.start(words, { ...PATIENCE, env, ...options });
}

async function runProgram(site: Site, program: string, options?: Options): Promise<Result> {
  return await (await startProgram(site, program, options)).ended;
}

/** Returns the examples of a document, each with what it prints. */
async function examplesIn(path: string): Promise<(readonly [string, string])[]> {
  const text = await Deno.readTextFile(CHECKOUT + path);
  const blocks = [...text.matchAll(/^( *)```(ts|text)\n([^]*?)^ *```$/gm)]
    .map(([, indent, kind, body]) =>
      [kind!, body!.replaceAll(new RegExp(`^${indent}`, "gm"), "")] as const
    );
  return blocks.flatMap(([kind, body], index) => {
    if (kind !== "ts") return [];
    const [next, printed] = blocks[index + 1] ?? [];
    assert.equal(next, "text", `${path} shows what each example prints`);
    return [[body, printed!]] as const;
  });
}

/** Runs a test with a store that has the chroot of jobs, and the helper root that services need. */
async function withServices(site: Site, body: (own: Site) => Promise<void>): Promise<void> {
  await withStore(site, {}, async (own) => {
    await linkChroot(own, site);
    await linkHelper(own);
    await body(own);
  });
}

async function showExamples(site: Site): Promise<void> {
  const examples = await examplesIn("docs/library.md");
  assert.ok(examples.length >= 5);
  await checkTypes(examples.map(([program]) => program));
  for (const [program, printed] of examples) {
    const { code, stdout, stderr } = await runProgram(site, program);
    assert.equal(code, 0, `${program}\n${stdout}${stderr}`);
    assert.equal(stdout, printed, program);
  }
}

onEachHost(
  "the examples of docs/library.md print what the document shows",
  (site) => withServices(site, showExamples),
  ["standalone"],
);

const HEAD = `import { startMachine } from "${PACKAGE}";\n`;

onEachBoot(
  "a program runs scripts in a machine, cancels one, and loses the machine",
  async (site) => {
    const done = await runProgram(
      site,
      `${HEAD}
const messages: string[] = [];
const machine = await startMachine({
  image: "${CHROOT}",
  boot: ${site.boots},
  onMessage: (message) => messages.push(message),
});
console.log(machine.isBooted, messages.length > 0);
const text = await machine.run("head -c 300000 /dev/zero | tr '\\\\0' x; printf 'ü' >&2; kill -9 $$");
console.log(text.code, text.stdout.length, text.stderr);
const reason = await machine.run("sleep 100 & sleep 100", { signal: AbortSignal.timeout(500) })
  .catch((error) => error.name);
console.log(reason);
const many = await Promise.all([1, 2, 3].map((n) => machine.run(\`sleep 0.1; echo \${n}\`)));
console.log(many.map(({ stdout }) => stdout.trim()).join());
const broken = new WritableStream({ write() { throw new Error("no more"); } });
console.log(await machine.run("yes", { stdout: broken }).catch((error) => error.message));
console.log(await machine.run("yes").catch((error) => error.hint));
const late = await machine.run("kill -s KILL -- -1; sleep 9; echo on").catch((error) => error.kind);
console.log(late === "host" || late.code === 137);
await Promise.all([machine.end(), machine.end()]);
await machine.end();
console.log(await machine.run("true").catch((error) => error.message.replace(/library-\\w+/, "x")));
Deno.exit();
`,
    );
    assert.equal(done.stderr, "");
    assert.equal(
      done.stdout,
      `${site.boots} true
137 300000 ü
TimeoutError
1,2,3
no more
Pass it on instead: run(script, { stdout: "inherit" }), or a stream in its place
true
Cannot run a script in machine run-x: it was ended
`,
    );
    assert.deepEqual(await leasesOf(site), []);
  },
);

onEachHost(
  "a program runs scripts in a tree without a shell of its own, with its variables",
  (site) =>
    withTwoRoots(site, {}, async (own) => {
      const done = await runProgram(
        own,
        `${HEAD}
await using machine = await startMachine({ image: "${BUSYBOX}", variables: { LINES: "a\\nb'\\n" } });
console.log(JSON.stringify(await machine.run("printf %s \\"$LINES\\"; exit 2")));
`,
      );
      assert.equal(done.stdout, '{"code":2,"stdout":"a\\nb\'\\n","stderr":"","reasons":[]}\n');
    }),
);

onEachHost("a program learns from an error what is wrong with its options", async (site) => {
  const done = await runProgram(
    site,
    `${HEAD.replace("{", "{ Failure,")}
const cases = [
  { image: "${CHROOT}", limits: { tasks_max: "many" } },
  { image: "${CHROOT}", binds: ["/nowhere:/x"] },
  { image: "${CHROOT}", variables: { "A-B": "c" } },
  { image: "docker.io/library/no" },
  { image: "${CHROOT}", user: "nobody-here" },
  {},
];
for (const options of cases) {
  const error = await startMachine(options).catch((error) => error);
  console.log(error instanceof Failure && error.kind, error.message);
}
const stopped = AbortSignal.abort(new Error("enough"));
console.log(await startMachine({ image: "${CHROOT}", signal: stopped }).catch((error) => error.message));
const soon = AbortSignal.timeout(30);
console.log(await startMachine({ image: "${CHROOT}", signal: soon }).catch((error) => error.name));
`,
  );
  const lines = done.stdout.split("\n");
  for (
    const [index, expected] of [
      /^refused Cannot start a machine: limits.tasks_max must be /,
      /^refused Cannot bind \/nowhere:\/x: there is no \/nowhere on this host/,
      /^refused Cannot give variables to a script: "A-B" is not valid/,
      /^refused Cannot .*docker\.io\/library\/no/,
      /^refused Cannot .*nobody-here/,
      /^refused Cannot start a machine: no image is named/,
      /^enough$/,
      /^TimeoutError$/,
    ].entries()
  ) assert.match(lines[index]!, expected, done.stdout + done.stderr);
  assert.deepEqual(await leasesOf(site), []);
}, ["systemd"]);

async function killProgram(site: Site): Promise<void> {
  const running = await startProgram(
    site,
    `${HEAD}
const machine = await startMachine({
  image: "${CHROOT}",
  services: [{ name: "${CHROOT}", alias: "db", command: ["sleep", "600"] }],
});
console.log("begun", machine.id);
await machine.run("sleep 600");
`,
  );
  await running.untilPrinted("begun");
  const before = await succeed(site, "gc", "--dry-run");
  assert.doesNotMatch(before.stdout, /machine run-library/);
  await site.host.signal(running, "SIGKILL");
  await running.ended;
  const after = await succeed(site, "gc");
  assert.match(
    after.stdout,
    /^Removing machine run-library-\w+: the process that started it has ended$/m,
  );
  assert.deepEqual(await leasesOf(site), []);
}

onEachHost(
  "gc ends the machines of a program that was killed",
  (site) => withServices(site, killProgram),
);
