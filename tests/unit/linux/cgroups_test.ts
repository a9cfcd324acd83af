import assert from "node:assert/strict";
import type { Argv } from "../../../src/host/host.ts";
import {
  cgroupPaths,
  cgroupStates,
  END_FUNCTIONS,
  endCgroup,
  inCgroup,
  inOwnCgroup,
} from "../../../src/linux/cgroups.ts";
import type { KernelFacts } from "../../../src/linux/proc.ts";
import { parseCgroup, parseMounts, readKernel } from "../../../src/linux/proc.ts";
import { skip } from "../../skip.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const UNIFIED = { point: "/sys/fs/cgroup", type: "cgroup2" };

function facts(cgroup: string | null, mounts = [UNIFIED]): KernelFacts {
  return { boot: "b", stat: "", uptime: null, cgroup, mounts, links: [] };
}

Deno.test("cgroupPaths() are below the own cgroup, with a twin for each older hierarchy", () => {
  assert.deepEqual(cgroupPaths(facts("/a/b"), "m"), ["/sys/fs/cgroup/a/b/m"]);
  assert.deepEqual(cgroupPaths(facts("/"), "m"), ["/sys/fs/cgroup/m"]);
  const mixed = [
    { point: "/sys/fs/cgroup/systemd", type: "cgroup" },
    { point: "/sys/fs/cgroup/unified", type: "cgroup2" },
  ];
  assert.deepEqual(cgroupPaths(facts("/a", mixed), "m"), [
    "/sys/fs/cgroup/unified/a/m",
    "/sys/fs/cgroup/systemd/a/m",
  ]);
});

Deno.test("cgroupPaths() never leave the hierarchy", () => {
  assert.deepEqual(cgroupPaths(facts("/../../x"), "m"), ["/sys/fs/cgroup/m"]);
});

Deno.test("cgroupPaths() fails with the reason where there is no unified hierarchy", () => {
  for (const host of [facts("/", []), facts(null)]) {
    assert.throws(() => cgroupPaths(host, "m"), { kind: "host", message: /no unified cgroup/ });
  }
});

Deno.test("inCgroup() enters the cgroup before it runs the command, and passes arguments literally", async () => {
  await inFolder(async (folder) => {
    const cgroup = `${folder}/it's $HOME`;
    const words = ["a b", "$(id)", "'", "\n", "-n"];
    // A folder does for a cgroup: what counts is who wrote its pid there.
    const [program, ...args] = inCgroup(cgroup, [
      "sh",
      "-c",
      'echo $$; printf "%s|" "$@"',
      "sh",
      ...words,
    ]);
    const { stdout } = await new Deno.Command(program, { args }).output();
    const [pid, ...rest] = new TextDecoder().decode(stdout).split("\n");
    assert.equal(rest.join("\n"), words.map((word) => `${word}|`).join(""));
    assert.equal(await Deno.readTextFile(`${cgroup}/cgroup.procs`), `${pid}\n`);
  });
});

Deno.test("inCgroup() does not run the command where the cgroup cannot be made", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const [program, ...args] = inCgroup(`${folder}/file/x`, ["touch", `${folder}/ran`]);
    const { code } = await new Deno.Command(program, { args, stderr: "null" }).output();
    assert.notEqual(code, 0);
    await assert.rejects(Deno.stat(`${folder}/ran`), Deno.errors.NotFound);
  });
});

const { host } = recordingHost({ real: ["sh", "cat"] });

async function tell(argv: Argv): Promise<string> {
  return (await host.processes.capture(argv)).stdout.trim();
}

/** Returns the path of a new cgroup for one test; null where none can be made. */
async function ownCgroup(): Promise<string | null> {
  const text = await readKernel(host, "/proc/self/mountinfo", "/proc/self/cgroup");
  const unified = parseMounts(text).find(({ type }) => type === "cgroup2")?.point;
  const own = parseCgroup(text);
  if (unified === undefined || own === null) return null;
  const below = own.startsWith("/..") ? "/" : own;
  const path = `${unified}${below}`.replace(/\/$/, "") + `/unit-test-${crypto.randomUUID()}`;
  const tried =
    'mkdir "$1" && sh -c "echo \\$\\$ >\\"$1/cgroup.procs\\"" && rmdir "$1" && echo made';
  return (await tell(["sh", "-c", tried, "sh", path])) === "made" ? path : null;
}

/** Runs a script in a cgroup until it is ready, then ends the cgroup; returns how long that took, in milliseconds. */
async function end(name: string, script: string, grace: number): Promise<number | null> {
  const cgroup = await ownCgroup();
  if (cgroup === null) {
    skip(name, "no cgroup can be made");
    return null;
  }
  let took = 0;
  await inFolder(async (folder) => {
    const twin = `${folder}/twin`;
    await Deno.mkdir(`${twin}/below`, { recursive: true });
    const [program, ...args] = inCgroup(cgroup, [
      "sh",
      "-c",
      script,
      "sh",
      `${folder}/ready`,
      cgroup,
    ]);
    const child = new Deno.Command(program, { args, stderr: "null" }).spawn();
    try {
      while (!await Deno.stat(`${folder}/ready`).catch(() => null)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const began = performance.now();
      await endCgroup(host, [cgroup, twin], grace);
      took = performance.now() - began;
      assert.equal(await tell(["sh", "-c", '[ -d "$1" ] || echo gone', "sh", cgroup]), "gone");
      await assert.rejects(Deno.stat(twin), Deno.errors.NotFound);
    } finally {
      // Where endCgroup() does not do its work, nothing may wait for what it left.
      await tell(["sh", "-c", 'kill -KILL "$1" 2>/dev/null', "sh", `${child.pid}`]);
      await child.status;
      await endCgroup(host, [cgroup], 0);
    }
  });
  return took;
}

Deno.test("endCgroup() succeeds where the cgroup does not exist", async () => {
  await endCgroup(host, ["/sys/fs/cgroup/no-such-cgroup"], 1);
});

Deno.test("endCgroup() ends processes by SIGTERM, also in cgroups below", async () => {
  const script = 'mkdir "$2/a" && sh -c "echo \\$\\$ >\\"$2/a/cgroup.procs\\"; exec sleep 60" & ' +
    'sleep 0.1; : >"$1"; exec sleep 60';
  const took = await end("endCgroup() ends by SIGTERM", script, 20);
  assert.ok(took === null || took < 5_000, `${took} ms`);
});

Deno.test("endCgroup() kills processes that ignore SIGTERM after the grace", async () => {
  const script = `trap '' TERM; : >"$1"; while :; do sleep 0.1; done`;
  const took = await end("endCgroup() kills after its grace", script, 1);
  assert.ok(took === null || took >= 900 && took < 8_000, `${took} ms`);
});

Deno.test("endCgroup() kills at once where the grace is 0", async () => {
  const script = `trap 'sleep 20' TERM; : >"$1"; while :; do sleep 0.1; done`;
  const took = await end("endCgroup() kills at once", script, 0);
  assert.ok(took === null || took < 5_000, `${took} ms`);
});

Deno.test("endCgroup() fails where processes do not end", async () => {
  const failing = recordingHost({ answer: () => ({ code: 1 }) });
  await assert.rejects(endCgroup(failing.host, ["/cg"], 0), { kind: "host", message: /\/cg/ });
});

/** Runs a script with inOwnCgroup(); returns null where no cgroup can be made. */
async function runInOwn(name: string, script: string) {
  const cgroup = await ownCgroup();
  if (cgroup === null) return skip(name, "no cgroup can be made");
  const [program, ...args] = inOwnCgroup(cgroup, 1, ["sh", "-c", script, "sh", cgroup]);
  const began = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" })
    .output();
  const took = performance.now() - began;
  assert.equal(await tell(["sh", "-c", '[ -d "$1" ] || echo gone', "sh", cgroup]), "gone");
  const decoder = new TextDecoder();
  return { code, took, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("inOwnCgroup() runs a command in the cgroup, with its streams and its exit code", async () => {
  const script = 'grep -q "^$$\\$" "$1/cgroup.procs" && echo in there; echo err >&2; exit 7';
  const ran = await runInOwn("inOwnCgroup() runs a command", script);
  if (ran) assert.deepEqual([ran.code, ran.out, ran.err], [7, "in there\n", "err\n"]);
});

Deno.test("inOwnCgroup() prints nothing about a killed command, and lets it receive signals", async () => {
  const ran = await runInOwn(
    "inOwnCgroup() is silent",
    "trap 'echo caught' INT; kill -INT $$; kill -KILL $$",
  );
  if (ran) assert.deepEqual([ran.code, ran.out, ran.err], [137, "caught\n", ""]);
});

Deno.test("inOwnCgroup() ends left processes by SIGTERM, then by SIGKILL", async () => {
  const left = "trap '' TERM; while :; do sleep 0.1; done";
  const script = `(${left}) >/dev/null 2>&1 & exit 0`;
  const ran = await runInOwn("inOwnCgroup() ends what is left", script);
  if (ran) assert.ok(ran.code === 0 && ran.took > 900 && ran.took < 8_000, JSON.stringify(ran));
});

Deno.test("cgroupStates() tells processes of another PID namespace, which no signal is sent to", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ real: ["sh"] });
    const procs: Readonly<Record<string, string>> = {
      none: "",
      own: "7\n8\n",
      other: "0\n0\n",
      both: "7\n0\n",
    };
    for (const [name, text] of Object.entries(procs)) {
      await Deno.mkdir(`${folder}/${name}/payload`, { recursive: true });
      await Deno.writeTextFile(`${folder}/${name}/payload/cgroup.procs`, text);
    }
    const paths = Object.keys(procs).map((name) => `${folder}/${name}`);
    assert.deepEqual(await cgroupStates(host, [...paths, `${folder}/gone`]), [
      "empty",
      "populated",
      "foreign",
      "foreign",
      "empty",
    ]);
    const script = `${END_FUNCTIONS}\nsignal_all "$1" KILL\necho here`;
    const args = ["--wait", "sh", "-c", script, "sh", `${folder}/other`];
    const { stdout } = await new Deno.Command("setsid", { args }).output();
    assert.equal(new TextDecoder().decode(stdout), "here\n", "it did not kill its own group");
  });
});

/**
 * Its process ends as soon as it has a child, which does the same for some seconds: a process that was listed is gone
 * before it is killed.
 */
const FORK_ON =
  "perl -e '$end = time + 20; while (time < $end) { exit if fork }' >/dev/null 2>&1 &";

Deno.test("signal_all freezes a cgroup, so that no process outruns the kill by a fork", async () => {
  const cgroup = await ownCgroup();
  if (cgroup === null) return skip("a fork bomb outruns the kill", "no cgroup can be made");
  try {
    const [program, ...args] = inCgroup(cgroup, ["sh", "-c", FORK_ON.repeat(2)]);
    assert.equal((await new Deno.Command(program, { args }).output()).code, 0);
    const populated = await cgroupStates(host, [cgroup]);
    assert.deepEqual(populated, ["populated"], "the processes go on");
    const script = `${END_FUNCTIONS}
kill() { sleep 0.05 && command kill "$@"; } # as on a busy host
signal_all "$1" KILL
removed_within "$1" 100 && echo gone`;
    assert.equal(await tell(["sh", "-c", script, "sh", cgroup]), "gone");
  } finally {
    await endCgroup(host, [cgroup], 0);
  }
});
