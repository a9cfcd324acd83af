/** Runs the program of a service's machine in a real shell, and reads what it reports as the host does. */

import assert from "node:assert/strict";
import type { Host } from "../../../../src/host/host.ts";
import { openServiceChannel } from "../../../../src/machines/exec/service_channel.ts";
import { INSIDE, MAX_LOG_BYTES } from "../../../../src/machines/record/channel.ts";
import type { MachinePaths } from "../../../../src/machines/record/paths.ts";
import type { ServiceProgram } from "../../../../src/machines/record/plan.ts";
import { lastOutput } from "../../../../src/machines/services/output.ts";
import { readServiceState, type ServiceState } from "../../../../src/machines/services/state.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** A service that runs. */
interface Served {
  readonly folder: string;
  readonly paths: MachinePaths;
  /** Tells the server to start the program. */
  release(): Promise<void>;
  /** Returns the state once it is this one. */
  until(is: (state: ServiceState) => boolean): Promise<ServiceState>;
  /** Returns the last lines of the output. */
  output(count: number): Promise<string[]>;
}

const PROGRAM: ServiceProgram = {
  words: ["true"],
  environment: [],
  workingDir: "",
  healthcheck: [],
  ports: [],
};

/** Starts the server of a service, calls the function, and ends all processes of the service. */
function withService(
  program: Partial<ServiceProgram>,
  act: (served: Served) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const { host: recording } = recordingHost({ real: ["mkfifo"] });
    const chown = () => Promise.resolve(); // the test may not be root
    const host: Host = { ...recording, files: { ...recording.files, chown } };
    const paths = pathsIn(folder);
    const service = { tree: folder, program: { ...PROGRAM, ...program } };
    const options = { user: null, ids: null, owned: [], environment: [], limited: false };
    await openServiceChannel(host, paths, service, options);
    const server = await startServer(paths);
    try {
      await act({
        folder,
        paths,
        async release() {
          const call = await host.files.openPipe(`${paths.stage}/call`);
          await call.write("start\n");
          await wait(async () => (await Deno.readTextFile(paths.result)).includes("start"));
          call.close();
        },
        until: (is) =>
          wait(async () => {
            const state = await readServiceState(host, paths);
            return is(state) ? state : null;
          }),
        output: (count) => lastOutput(host, paths, count),
      });
    } finally {
      await endProcessesOf(folder);
      await server.status;
    }
  });
}

/** The host's busybox; else its applets are other programs of the host. */
const BUSYBOX = await (async () => {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "command -v busybox"] }).output();
  return new TextDecoder().decode(stdout).trim() || null;
})();

/** Starts the program with the paths of a machine moved into a folder. */
async function startServer(paths: MachinePaths): Promise<Deno.ChildProcess> {
  const { stage, own } = paths;
  for (const name of ["server", "start", "process"]) {
    const text = await Deno.readTextFile(`${stage}/${name}`);
    await Deno.remove(`${stage}/${name}`);
    await Deno.writeTextFile(`${stage}/${name}`, text.replaceAll(INSIDE, stage));
  }
  for (const name of ["result", "log.0", "log.1"]) {
    await Deno.remove(`${stage}/${name}`);
    await Deno.symlink(`${own}/${name}`, `${stage}/${name}`);
  }
  await Deno.mkdir(`${stage}/helper/usr/bin`, { recursive: true });
  const busybox = `${stage}/helper/usr/bin/busybox`;
  if (BUSYBOX !== null) await Deno.symlink(BUSYBOX, busybox);
  else await Deno.writeTextFile(busybox, '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  return new Deno.Command(busybox, {
    args: ["sh", `${stage}/server`],
    env: { SECRET: "x" },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

/** Programs of services lead sessions of their own: they are found by what they are called, and by what they have open. */
async function endProcessesOf(folder: string): Promise<void> {
  const script = `
{
  grep --fixed-strings --files-with-matches "$1" /proc/[0-9]*/cmdline
  find /proc/[0-9]*/fd /proc/[0-9]*/cwd -lname "$1*"
} 2>/dev/null | cut -d / -f 3 | grep --invert-match --line-regexp $$ | xargs --no-run-if-empty kill -s KILL 2>/dev/null
`;
  await new Deno.Command("sh", { args: ["-c", script, "sh", folder] }).output();
}

async function wait<T>(ask: () => Promise<T | null | false>): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, "it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const hasEnded = ({ code }: ServiceState) => code !== null;

/** Runs a script of sh as a service to its end, and returns the state and the output. */
async function ran(script: string, program: Partial<ServiceProgram> = {}) {
  const words = ["sh", "-c", script, "sh", ...program.words ?? []];
  let result: { state: ServiceState; output: string[] } | undefined;
  await withService({ ...program, words }, async ({ release, until, output }) => {
    await release();
    result = { state: await until(hasEnded), output: await output(1000) };
  });
  return result!;
}

Deno.test("the server of a service starts its program only when it is told to", () =>
  withService({ words: ["sh", "-c", "echo runs; exec sleep 60"] }, async (served) => {
    const { paths, release, until, output } = served;
    await wait(async () => (await Deno.readTextFile(paths.result)).includes("ready\n"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await Deno.readTextFile(paths.result), "ready\n");
    await release();
    const state = await until(({ hasStarted }) => hasStarted);
    assert.deepEqual(state, { failure: null, hasStarted: true, isHealthy: false, code: null });
    await wait(async () => (await output(1)).includes("runs"));
  }));

for (const code of [0, 3, 127]) {
  Deno.test(`the server of a service reports exit code ${code}, and the output before it`, async () => {
    const { state, output } = await ran(`echo out; echo err >&2; exit ${code}`);
    assert.deepEqual(state, { failure: null, hasStarted: true, isHealthy: false, code });
    assert.deepEqual(output, ["out", "err"]);
  });
}

Deno.test("the server of a service reports a signal as 128 plus its number", async () => {
  assert.equal((await ran("kill -KILL $$")).state.code, 137);
});

Deno.test("the server of a service waits for no process that the program left running", async () => {
  const began = Date.now();
  const { state, output } = await ran("sleep 60 & echo last; exit 4");
  assert.deepEqual([state.code, output], [4, ["last"]]);
  assert.ok(Date.now() - began < 30_000);
});

/** Words and values that a shell would take for something else. */
const ODD = [
  "",
  " ",
  "a b",
  "'",
  '"$HOME"',
  "$(id)",
  "`id`",
  "\\n",
  "*",
  "-n",
  "a=b",
  "~",
  "é\n;x",
];

Deno.test("the server of a service passes all words of the program as they are", async () => {
  const { output } = await ran('for word; do printf "<%s>\\n" "$word"; done', { words: ODD });
  assert.deepEqual(output.join("\n"), ODD.map((word) => `<${word}>`).join("\n"));
});

Deno.test("the server of a service gives the program its variables as they are, the last one of a name", async () => {
  const environment = ODD.map((value, index) => `V${index}=${value}`);
  environment.push("A=image", "A=job", "dotted.name=a $b", "OPTIND=1");
  // These are names of the server's own.
  for (const name of ["workdir", "path", "entry", "health", "program", "folder", "root", "code"]) {
    environment.push(`${name}=mine`);
  }
  const own = environment.filter((one) => !/^(?:A=image|OPTIND=)/.test(one));
  const expected = ["HOME=/", "LANG=C.UTF-8", "LOGNAME=root", "USER=root", ...own];
  await withService({ words: ["env"], environment }, async ({ release, until, output }) => {
    await release();
    await until(hasEnded);
    const others = /^(?:PATH|PWD|OLDPWD|SHLVL|_)=/;
    const lines = (await output(99)).filter((one) => !others.test(one));
    const words = expected.flatMap((one) => one.split("\n")).map((one) => one.trimEnd());
    assert.deepEqual(lines.sort(), words.sort());
  });
});

Deno.test("the server of a service gives the program no input", async () => {
  assert.deepEqual((await ran('cat; read line || echo "end $line"')).output, ["end"]);
});

Deno.test("the server of a service finds its program by the PATH of the service", () =>
  inFolder(async (bin) => {
    await Deno.writeTextFile(`${bin}/serve`, '#!/bin/sh\necho "mine $1"\n', { mode: 0o755 });
    const environment = [`PATH=/no/such:${bin}:/bin:/usr/bin`];
    await withService({ words: ["serve", "it"], environment }, async (served) => {
      await served.release();
      await served.until(hasEnded);
      assert.deepEqual(await served.output(9), ["mine it"]);
    });
  }));

Deno.test("the server of a service makes its working directory, from which relative paths count", () =>
  inFolder(async (folder) => {
    const workingDir = `${folder}/a/b c`;
    const { output } = await ran("pwd", { workingDir });
    assert.deepEqual(output, [workingDir]);
    await Deno.writeTextFile(`${workingDir}/run`, "#!/bin/sh\necho $0\n", { mode: 0o755 });
    await withService({ words: ["./run"], workingDir }, async (served) => {
      await served.release();
      await served.until(hasEnded);
      assert.deepEqual(await served.output(9), ["./run"]);
    });
  }));

/** What is missing, and the reason that the server reports. */
const MISSING: readonly (readonly [Partial<ServiceProgram>, string])[] = [
  [{ words: ["no-such", "x"] }, "it has no program no-such"],
  [{ words: ["/no/such"] }, "it has no program /no/such"],
  [{ words: ["$(id) 'x'"] }, "it has no program $(id) 'x'"],
  [{ words: ["sh"], environment: ["PATH="] }, "it has no program sh"],
  [{ words: ["x".repeat(5000)] }, `it has no program ${"x".repeat(982)}`],
  [{ workingDir: "/etc/passwd/x" }, "it has no folder /etc/passwd/x"],
];

for (const [program, failure] of MISSING) {
  Deno.test(`the server of a service that cannot start reports: ${failure.slice(0, 40)}`, () =>
    withService(program, async ({ release, until }) => {
      await release();
      const state = await until(({ failure }) => failure !== null);
      assert.deepEqual(state, { failure, hasStarted: false, isHealthy: false, code: null });
    }));
}

Deno.test("the server of a service tests its health until the test succeeds", () =>
  inFolder(async (folder) => {
    const test = `echo "$A" >>${folder}/tests; test $(wc -l <${folder}/tests) -ge 3`;
    const program = {
      words: ["sleep", "60"],
      environment: ["A=a b"],
      healthcheck: ["sh", "-c", test],
    };
    await withService(program, async ({ release, until }) => {
      await release();
      await until(({ isHealthy }) => isHealthy);
      assert.equal(await Deno.readTextFile(`${folder}/tests`), "a b\na b\na b\n");
    });
  }));

Deno.test("the server of a service whose health has no test program goes on without", () =>
  withService(
    { words: ["sleep", "0.5"], healthcheck: ["no-such"] },
    async ({ release, until }) => {
      await release();
      const state = await until(hasEnded);
      assert.deepEqual([state.isHealthy, state.code], [false, 0]);
    },
  ));

const kept =
  "the server of a service keeps the last 256 KiB of its output at least, and 512 KiB at most";
Deno.test(kept, async () => {
  if (BUSYBOX === null) return skip(kept, "other programs than busybox's dd count blocks");
  // Each line is written by a call of its own, as servers do.
  const lines = 40_000;
  const script = `i=0; while [ $i -lt ${lines} ]; do echo "this is line $i"; i=$((i + 1)); done`;
  await withService({ words: ["sh", "-c", script] }, async ({ paths, release, until, output }) => {
    await release();
    await until(hasEnded);
    const text = await output(lines);
    assert.equal(text.at(-1), `this is line ${lines - 1}`);
    const bytes = text.join("\n").length;
    assert.ok(bytes >= MAX_LOG_BYTES && bytes <= 2 * MAX_LOG_BYTES, `${bytes} bytes`);
    for (const name of ["log.0", "log.1"]) {
      const { size } = await Deno.stat(`${paths.own}/${name}`);
      assert.ok(size <= MAX_LOG_BYTES + 16, `${name} has ${size} bytes`);
    }
  });
});
