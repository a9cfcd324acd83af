import assert from "node:assert/strict";
import { denoHost } from "../../../src/host/deno_host.ts";
import { denoFiles } from "../../../src/host/files.ts";
import { skip } from "../../skip.ts";
import { inFolder } from "../recording_host.ts";

Deno.test("denoHost() sends a signal to whom listens, and to nobody afterwards", async () => {
  const host = denoHost();
  const heard: string[] = [];
  // Another listener, or the signal would end the test.
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

Deno.test("denoHost() waits as long as it is told", async () => {
  const { clock } = denoHost();
  const began = performance.now();
  clock.nap(20);
  const napped = performance.now();
  assert.ok(napped - began >= 18 && napped - began < 2_000);
  await clock.sleep(20);
  assert.ok(performance.now() - napped >= 18);
  assert.ok(Math.abs(clock.now() - Date.now()) < 1_000);
});

Deno.test("denoHost() tells the environment, variable by variable and whole", () => {
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

/** Runs a program that has a real host, in a terminal or with its streams closed by a shell. */
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
  // Of the packages it needs paths alone: whichever way to them there is, this one is here.
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

Deno.test("denoHost() takes a closed pipe for no error", async () => {
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

Deno.test("denoHost() colours warnings on a terminal alone, and never where NO_COLOR is set", async () => {
  await inFolder(async (folder) => {
    const body = 'host.log.warn("w"); host.log.info("i");';
    if (await play(folder, "", "command -v script") === "") {
      return skip("denoHost() colours warnings on a terminal", "no script(1)");
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

Deno.test("denoHost() starts a program again by its own file, or by deno from a checkout", async () => {
  await inFolder(async (folder) => {
    const body = "host.terminal.out(JSON.stringify(await host.self()));";
    const checkout = JSON.parse(await play(folder, body, "PROGRAM"));
    const program = `${folder}/program.ts`;
    assert.deepEqual(checkout, [Deno.execPath(), "run", "--allow-all", program]);
    // What is installed is an executable file, also where a link leads to it.
    const around = "chmod 755 program.ts; ln -s program.ts linked.ts; PROGRAM";
    const installed = await play(folder, body, around, {}, "linked.ts");
    assert.deepEqual(JSON.parse(installed), [program]);
  });
});

Deno.test("denoHost() makes and starts nothing that its caller's umask closes to a machine's users", async () => {
  await inFolder(async (folder) => {
    const body = `await host.files.makeDirectory("${folder}/upper", 0o755);
const { stdout } = await host.processes.capture(["sh", "-c", "umask"]);
host.terminal.out(stdout);`;
    assert.equal(await play(folder, body, "umask 077; PROGRAM"), "0022\n");
    assert.equal((await Deno.stat(`${folder}/upper`)).mode! & 0o777, 0o755);
  });
});

Deno.test("files.replace() shows a reader the old text or the new one, never a part", async () => {
  await inFolder(async (folder) => {
    const files = denoFiles();
    const path = `${folder}/file`;
    const texts = ["a".repeat(300_000), "b".repeat(200_000)];
    await files.replace(path, texts[0]!);
    let replacing = true;
    const writer = (async () => {
      for (let n = 1; n <= 20; n++) await files.replace(path, texts[n % 2]!);
      replacing = false;
    })();
    let reads = 0;
    while (replacing) {
      const text = await files.read(path);
      assert.ok(text !== null && texts.includes(text), `${text?.length}`);
      reads++;
    }
    await writer;
    assert.ok(reads > 1);
    assert.deepEqual(await files.list(folder), ["file"]);
  });
});

Deno.test("files.replace() replaces a symlink, not what it leads to", async () => {
  await inFolder(async (folder) => {
    const files = denoFiles();
    await Deno.writeTextFile(`${folder}/precious`, "old");
    await files.symlink(`${folder}/precious`, `${folder}/link`);
    await files.replace(`${folder}/link`, "new");
    assert.equal(await files.read(`${folder}/precious`), "old");
    assert.equal((await files.lstat(`${folder}/link`))?.kind, "file");
  });
});

Deno.test("files.removeTree() follows no symlink out of the tree", async () => {
  await inFolder(async (folder) => {
    const files = denoFiles();
    await files.makeDirectory(`${folder}/outside`);
    await files.write(`${folder}/outside/precious`, "x");
    await files.makeDirectory(`${folder}/tree/a`);
    await files.symlink(`${folder}/outside`, `${folder}/tree/a/link`);
    await files.removeTree(`${folder}/tree`);
    assert.equal(await files.read(`${folder}/outside/precious`), "x");
    assert.equal(await files.lstat(`${folder}/tree`), null);
  });
});
