import assert from "node:assert/strict";
import { denoHost } from "../../../src/host/deno_host.ts";
import { denoFiles } from "../../../src/host/files.ts";
import { skip } from "../../skip.ts";
import { inFolder } from "../recording_host.ts";

Deno.test("signals.on() calls the handler for its signals, until it is removed", async () => {
  const host = denoHost();
  const heard: string[] = [];
  // Without another listener, the last signal would end the test.
  const last = () => void heard.push("last");
  Deno.addSignalListener("SIGUSR2", last);
  try {
    const forget = host.signals.on(["SIGUSR1", "SIGUSR2"], (signal) => void heard.push(signal));
    assert.ok(host.processes.signal(host.pid(), "SIGUSR2"));
    while (heard.length < 2) await host.clock.sleep(5);
    assert.deepEqual(heard.sort(), ["SIGUSR2", "last"]);
    forget();
    host.processes.signal(host.pid(), "SIGUSR2");
    while (heard.length < 3) await host.clock.sleep(5);
    assert.deepEqual(heard.sort(), ["SIGUSR2", "last", "last"]);
  } finally {
    Deno.removeSignalListener("SIGUSR2", last);
  }
});

Deno.test("clock.nap() and clock.sleep() wait as long as given", async () => {
  const { clock } = denoHost();
  const began = performance.now();
  await clock.nap(20);
  const napped = performance.now();
  assert.ok(napped - began >= 18 && napped - began < 2_000);
  await clock.sleep(20);
  assert.ok(performance.now() - napped >= 18);
  assert.ok(Math.abs(clock.now() - Date.now()) < 1_000);
});

Deno.test("clock.nap() lets the end of a child and signals be handled", async () => {
  const host = denoHost();
  let [hasEnded, hasHeard] = [false, false];
  const forget = host.signals.on(["SIGUSR2"], () => void (hasHeard = true));
  host.processes.start(["true"]).ended.then(() => void (hasEnded = true));
  assert.ok(host.processes.signal(host.pid(), "SIGUSR2"));
  for (let naps = 0; naps < 1000 && !(hasEnded && hasHeard); naps++) await host.clock.nap(1);
  forget();
  assert.ok(hasEnded && hasHeard);
});

Deno.test("denoHost() returns single variables and the whole environment", () => {
  const host = denoHost();
  assert.equal(host.env("PATH"), Deno.env.get("PATH"));
  assert.equal(host.env("NO_SUCH_VARIABLE"), undefined);
  assert.deepEqual(host.environment(), Deno.env.toObject());
  assert.deepEqual([host.pid(), host.uid()], [Deno.pid, Deno.uid()]);
});

const POSIX = `export { basename, dirname, join } from "node:path/posix";
export { fileURLToPath as fromFileUrl } from "node:url";
`;

const HOST = new URL("../../../src/host/deno_host.ts", import.meta.url).href;

/** Runs a program with the real host, in a shell command that sets up its streams. */
async function play(
  folder: string,
  body: string,
  around: string,
  env: Record<string, string> = {},
  entry = "program.ts",
) {
  const program = `${folder}/program.ts`;
  await Deno.writeTextFile(
    program,
    `import { denoHost } from ${JSON.stringify(HOST)};\nconst host = denoHost();\n${body}\n`,
  );
  // Its only package is the one of paths: this stand-in works without a registry.
  await Deno.writeTextFile(`${folder}/posix.ts`, POSIX);
  const map = `${folder}/map.json`;
  await Deno.writeTextFile(map, JSON.stringify({ imports: { "@std/path/posix": "./posix.ts" } }));
  const command = [
    ...[Deno.execPath(), "run", "--quiet", "--no-lock", "--no-check", "--allow-all"],
    ...[`--import-map=${map}`, `${folder}/${entry}`],
  ].map((word) => `'${word}'`).join(" ");
  const done = await new Deno.Command("bash", {
    args: ["-c", around.replace("PROGRAM", command)],
    cwd: folder,
    env,
    stdin: "null",
  }).output();
  return new TextDecoder().decode(done.stdout);
}

Deno.test("terminal.out() ignores a closed pipe", async () => {
  await inFolder(async (folder) => {
    const body = `for (let n = 0; n < 200; n++) host.terminal.out("x".repeat(1000) + "\\n");
Deno.writeTextFileSync("done", "");`;
    assert.equal(
      await play(folder, body, `PROGRAM | head -c 1; echo " \${PIPESTATUS[0]}"`),
      "x 0\n",
    );
    assert.ok(await denoFiles().lstat(`${folder}/done`));
  });
});

Deno.test("terminal.isAtLineStart() knows what was written and relayed to both streams", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/output`, "from a script");
    const body = `const { out, err, relay, isAtLineStart } = host.terminal;
const answers = [isAtLineStart()];
const then = () => void answers.push(isAtLineStart());
for (const text of ["a", "\\n", "b", "", "10 %\\r"]) out(text), then();
for (const text of ["a", "a\\n"]) err(text), then();
await relay("output", "stdout", then);
Deno.writeTextFileSync("answers", answers.map(Number).join(""));`;
    await play(folder, body, "PROGRAM");
    assert.equal(await Deno.readTextFile(`${folder}/answers`), "101001010");
  });
});

Deno.test("denoHost() colours warnings only on a terminal, and not where NO_COLOR is set", async () => {
  await inFolder(async (folder) => {
    const body = 'host.log.warn("w"); host.log.info("i");';
    if (await play(folder, "", "command -v script") === "") {
      return skip("denoHost() colours warnings only on a terminal", "no script(1)");
    }
    const terminal = 'script -qec "PROGRAM" /dev/null';
    const escape = "\x1b[33mw\x1b[0m";
    const coloured = await play(folder, body, terminal, { NO_COLOR: "" });
    assert.ok(coloured.includes(escape), JSON.stringify(coloured));
    assert.ok(!coloured.includes("\x1b[33mi"));
    const plain = await play(folder, body, terminal, { NO_COLOR: "1" });
    assert.ok(plain.includes("w") && !plain.includes("\x1b["), JSON.stringify(plain));
    assert.equal(await play(folder, body, "PROGRAM 2>&1", { NO_COLOR: "" }), "w\ni\n");
  });
});

Deno.test("host.self() is the installed program, or deno with the module of a checkout", async () => {
  await inFolder(async (folder) => {
    const body = "host.terminal.out(JSON.stringify(await host.self()));";
    const checkout = JSON.parse(await play(folder, body, "PROGRAM"));
    const program = `${folder}/program.ts`;
    assert.deepEqual(checkout, [Deno.execPath(), "run", "--allow-all", program]);
    // The installed program is an executable file, also when it is called by a link.
    const around = "chmod 755 program.ts; ln -s program.ts linked.ts; PROGRAM";
    const installed = await play(folder, body, around, {}, "linked.ts");
    assert.deepEqual(JSON.parse(installed), [program]);
  });
});

Deno.test("denoHost() creates files and starts children with umask 022, whatever the caller's is", async () => {
  await inFolder(async (folder) => {
    const body = `await host.files.makeDirectory("${folder}/upper", 0o755);
const { stdout } = await host.processes.capture(["sh", "-c", "umask"]);
host.terminal.out(stdout);`;
    assert.equal(await play(folder, body, "umask 077; PROGRAM"), "0022\n");
    assert.equal((await Deno.stat(`${folder}/upper`)).mode! & 0o777, 0o755);
  });
});

Deno.test("denoHost() names a variable that is not UTF-8", async () => {
  await inFolder(async (folder) => {
    const body = 'try { host.env("ODD"); } catch (error) { console.log(error.message); }';
    const said = await play(folder, body, "export ODD=$'a\\377'; PROGRAM");
    assert.equal(said, "Cannot read variable ODD: it is not UTF-8\n");
  });
});

Deno.test("clock.after() waits also for longer than a timer of JavaScript can", async () => {
  const { clock } = denoHost();
  let isCalled = false;
  const forget = clock.after(2 ** 31 + 1, () => isCalled = true);
  await clock.sleep(20);
  forget();
  assert.equal(isCalled, false);
});
