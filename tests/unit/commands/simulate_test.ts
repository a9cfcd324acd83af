import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { type Answer, inFolder, recordingHost } from "../recording_host.ts";

const CONFIG = JSON.stringify({ builds_dir: "/builds", job_env: { NSPAWN_RUNNER_X: "1" } });

type Send = (signal: Deno.Signal) => void;

/** What the driver's stages do; each may leave a script's own code, as the driver does. */
interface Scene {
  readonly argv?: readonly string[];
  /** Exit codes of stages by name; 0 for the rest. */
  readonly codes?: Readonly<Record<string, number>>;
  /** The code of the script itself, where a stage fails with the build failure's. */
  readonly own?: string;
  /** Called as a stage begins, with the job's folder once a script showed it. */
  readonly during?: (stage: string, send: Send, folder: string) => unknown;
  readonly answer?: string;
  /** What config says on stderr. */
  readonly told?: string;
}

async function simulate(scene: Scene = {}) {
  let folder = "";
  const scripts: Record<string, string> = {};
  const modes = new Set<number>();
  const recording = recordingHost({
    async answer(argv): Promise<Answer> {
      const [command = "", path = "", stage = command] = argv.slice(argv.length > 4 ? -3 : 1);
      const name = command === "gitlab-config" ? "config" : stage;
      if (command === "run") {
        modes.add((await Deno.stat(path)).mode! & 0o777);
        scripts[name] = await Deno.readTextFile(path);
        folder = path.replace(/\/script-[^/]+\/script$/, "");
      }
      await scene.during?.(name, recording.send, folder);
      const code = scene.codes?.[name] ?? 0;
      if (code === 1 && scene.own !== undefined) {
        await Deno.writeTextFile(`${folder}/build_exit_code`, scene.own);
      }
      return {
        code,
        stdout: name === "config" ? scene.answer ?? CONFIG : "",
        stderr: scene.told ?? "",
      };
    },
  });
  const code = await main(["simulate", ...scene.argv ?? []], recording.host);
  const stages = recording.processes.map(({ argv }) => argv.at(-1)!);
  return { code, stages, scripts, modes, folder, ...recording };
}

const WHOLE = [
  "gitlab-config",
  "prepare",
  "prepare_script",
  "get_sources",
  "restore_cache",
  "download_artifacts",
  "build_script",
  "after_script",
  "archive_cache",
  "upload_artifacts_on_success",
  "cleanup_file_variables",
  "cleanup",
];

Deno.test("simulate calls every stage of a good job, by this very program, and leaves no folder", async () => {
  const scene = { argv: ["--", "true"], told: "a word of config\n" };
  const { code, stages, processes, modes, folder, err } = await simulate(scene);
  assert.deepEqual([code, ...modes], [0, 0o700]);
  assert.match(err(), /^a word of config$/m);
  assert.deepEqual(stages, WHOLE);
  for (const { argv, options } of processes) {
    assert.equal(argv[0], "nspawn-runner");
    assert.equal(options.env?.["BUILD_FAILURE_EXIT_CODE"], "1");
    assert.equal(options.env?.["JOB_RESPONSE_FILE"], `${folder}/response.json`);
  }
  const jobs = new Set(processes.map(({ options }) => options.env?.["CUSTOM_ENV_CI_JOB_ID"]));
  const id = Date.UTC(2030, 0, 1) * 1000 + 42;
  assert.deepEqual([...jobs], [`${id}`], "all of one job, of this moment and process");
  await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  assert.match(err(), /simulate: build_script ended with 0 after \d+\.\d\d s\n/);
});

Deno.test("simulate gives to later stages what config answers, to cleanup too unless config failed", async () => {
  const told = async (scene: Scene) =>
    (await simulate(scene)).processes.map(({ options }) => options.env?.["NSPAWN_RUNNER_X"]);
  assert.deepEqual(await told({}), [undefined, ...Array(11).fill("1")]);
  assert.deepEqual(await told({ codes: { config: 1 } }), [undefined, undefined]);
});

Deno.test("simulate runs stages in process groups of their own, with an empty stdin and our output", async () => {
  const { processes, folder } = await simulate();
  for (const { options } of processes.slice(1)) {
    assert.ok("cwd" in options && options.cwd === folder);
    assert.ok("detached" in options && options.detached);
    for (const stream of ["stdin", "stdout", "stderr"]) assert.ok(!(stream in options), stream);
  }
});

Deno.test("simulate goes on after a failed script as GitLab Runner does, and exits with its code", async () => {
  const { code, stages, err } = await simulate({ codes: { build_script: 1 }, own: "37\n" });
  assert.match(err(), /^simulate: the job's exit code is 37$/m);
  assert.equal(code, 37);
  assert.deepEqual(stages.slice(stages.indexOf("build_script") + 1), [
    "after_script",
    "archive_cache_on_failure",
    "upload_artifacts_on_failure",
    "cleanup_file_variables",
    "cleanup",
  ]);
});

Deno.test("simulate keeps the first failure, whatever follows", async () => {
  const codes = { build_script: 1, archive_cache_on_failure: 2, cleanup: 2 };
  assert.equal((await simulate({ codes, own: "37\n" })).code, 37);
});

Deno.test("simulate takes a build failure without a code file for 1", async () => {
  assert.equal((await simulate({ codes: { build_script: 1 } })).code, 1);
});

Deno.test("simulate does not mind a failing after_script", async () => {
  const { code, stages } = await simulate({ codes: { after_script: 1 }, own: "5\n" });
  assert.equal(code, 0);
  assert.deepEqual(stages, WHOLE);
});

Deno.test("simulate ends a job that fails before its script without the stages that follow one", async () => {
  const { code, stages } = await simulate({ codes: { get_sources: 1 }, own: "8\n" });
  assert.equal(code, 8);
  assert.deepEqual(stages.slice(-2), ["get_sources", "cleanup"]);
});

Deno.test("simulate cleans up also what never came to be prepared, and runs nothing in it", async () => {
  for (const [stage, failing] of [["gitlab-config", "config"], ["prepare", "prepare"]] as const) {
    for (const [status, code] of [[1, 1], [2, 125], [143, 125]] as const) {
      const done = await simulate({ codes: { [failing]: status } });
      assert.equal(done.code, code, `${failing} ${status}`);
      assert.deepEqual(done.stages.slice(-2), [stage, "cleanup"]);
    }
  }
});

Deno.test("simulate takes a lost machine for a failure of the host, and still cleans up", async () => {
  const { code, stages, err } = await simulate({ codes: { build_script: 2 } });
  assert.equal(code, 125);
  assert.deepEqual(stages.slice(-2), ["build_script", "cleanup"]);
  assert.match(err(), /stage build_script failed on the host/);
});

Deno.test("simulate fails where a good job is not cleaned up", async () => {
  const { code, err } = await simulate({ codes: { cleanup: 2 } });
  assert.equal(code, 125);
  assert.match(err(), /cleanup failed/);
});

Deno.test("simulate cleans up when it cannot go on itself", async () => {
  const { code, stages, folder } = await simulate({
    during(stage, _send, own) {
      // As a full disk would: the next script cannot be written.
      if (stage !== "prepare_script") return;
      return Deno.writeTextFile(`${own}/script-get_sources`, "");
    },
  });
  assert.equal(code, 125);
  assert.deepEqual(stages.slice(-2), ["prepare_script", "cleanup"]);
  await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
});

Deno.test("simulate that is interrupted ends the stage that runs, runs no other, and cleans up", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const { code, stages, killed, processes, handlers } = await simulate({
      during: (stage, send) => stage === "build_script" && queueMicrotask(() => send(signal)),
    });
    assert.equal(code, 143);
    assert.deepEqual(stages.slice(-2), ["build_script", "cleanup"]);
    assert.deepEqual(killed, [{ pid: 1000 + processes.length - 2, signal: "SIGTERM" }]);
    assert.equal(handlers(), 0);
  }
});

Deno.test("simulate that is interrupted early prepares no machine", async () => {
  const { code, stages } = await simulate({
    during: (stage, send) => stage === "config" && send("SIGTERM"),
  });
  assert.equal(code, 143);
  assert.deepEqual(stages, ["gitlab-config", "cleanup"]);
});

Deno.test("simulate never interrupts its cleanup", async () => {
  const { code, killed } = await simulate({
    during: (stage, send) => stage === "cleanup" && queueMicrotask(() => send("SIGTERM")),
  });
  assert.equal(code, 143);
  assert.deepEqual(killed, []);
});

Deno.test("simulate runs a file, a command or a sample, and no two of them", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/script`;
    await Deno.writeTextFile(path, "echo from the file\n");
    const script = async (...argv: string[]) => (await simulate({ argv })).scripts["build_script"]!;
    assert.match(await script(path), /echo from the file/);
    assert.match(await script("--", "echo", "a b"), /'echo'\\'' '\\''a b'\\''/);
    assert.match(await script(), /Hello from/);
    const both = await simulate({ argv: [path, "--", "true"] });
    assert.deepEqual([both.code, both.stages], [2, []]);
    const none = await simulate({ argv: [`${folder}/none`] });
    assert.deepEqual([none.code, none.stages], [1, []]);
    assert.match(none.err(), /no such file/);
  });
});

Deno.test("simulate hands on what the whole program was told", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/c.toml`, "");
    const config = ["--config", `${folder}/c.toml`];
    for (const [loud, handed] of [["-v", "--verbose"], ["--debug", "--debug"]] as const) {
      const { processes } = await simulate({ argv: [...config, loud] });
      for (const { argv } of processes) {
        assert.deepEqual(argv.slice(0, 4), ["nspawn-runner", handed, ...config]);
      }
    }
    // The stages run in another folder, where a relative path means something else.
    const relative = "../".repeat(Deno.cwd().split("/").length) + config[1]!.slice(1);
    for (const { argv } of (await simulate({ argv: ["--config", relative] })).processes) {
      assert.deepEqual(argv.slice(0, 3), ["nspawn-runner", ...config]);
    }
  });
});

Deno.test("simulate refuses what config answers and is no answer", async () => {
  const { code, stages, err } = await simulate({ answer: "hello" });
  assert.equal(code, 125);
  assert.deepEqual(stages, ["gitlab-config", "cleanup"]);
  assert.match(err(), /Cannot read the output of the config stage: "hello"/);
});

Deno.test("simulate asks for the image that it was given, and for none where it was not", async () => {
  for (const [argv, image] of [[["--image", "bookworm"], "bookworm"], [[], undefined]] as const) {
    const { processes } = await simulate({ argv });
    assert.equal(processes[0]?.options.env?.["CUSTOM_ENV_CI_JOB_IMAGE"], image);
  }
});

Deno.test("simulate takes a code file that GitLab Runner could not read for a failure of the host", async () => {
  for (const own of ["", "text\n", "12 34\n", "\n3\n"]) {
    const { code } = await simulate({ codes: { build_script: 1 }, own });
    assert.equal(code, 125, JSON.stringify(own));
  }
});

Deno.test("simulate refuses a variable that Linux passes to no program", async () => {
  // "CUSTOM_ENV_X=" and the final zero count.
  const most = "x".repeat(131_072 - 14);
  const good = await simulate({ argv: ["--variable", `X=${most}`] });
  assert.equal(good.code, 0);
  const bad = await simulate({ argv: ["--variable", `X=${most}x`] });
  assert.deepEqual([bad.code, bad.stages], [1, []]);
  assert.match(bad.err(), /Cannot use variable X: .*128 KiB/);
});

Deno.test("simulate gives the job its services", async () => {
  let services: unknown;
  const during = async (stage: string, _: unknown, folder: string) => {
    if (stage !== "build_script") return;
    services = JSON.parse(await Deno.readTextFile(`${folder}/response.json`)).services;
  };
  const argv = [
    "--service",
    "reg.example:5000/a:1",
    "--service",
    "postgres:16=db,a=b",
    "--",
    "true",
  ];
  assert.equal((await simulate({ argv, during })).code, 0);
  assert.deepEqual(services, [
    { name: "reg.example:5000/a:1" },
    { name: "postgres:16", alias: "db,a=b" },
  ]);
});

Deno.test("simulate refuses what is no service", async () => {
  for (const word of ["=db", "redis=", "="]) {
    const { code, err, stages } = await simulate({ argv: ["--service", word] });
    assert.deepEqual([code, stages], [2, []]);
    assert.match(err(), /it is not of the form IMAGE or IMAGE=ALIAS/);
  }
});
