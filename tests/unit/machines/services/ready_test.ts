/** Waits for services; ports are tried by a real bash, and real listeners answer. */

import assert from "node:assert/strict";
import {
  type AwaitedService,
  type ReadyResult,
  WAIT_FOR_PORT_SCRIPT,
  waitForService,
} from "../../../../src/machines/services/ready.ts";
import type { Host } from "../../../../src/host/host.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

const quiet = new AbortController().signal;

/** Waits for a service that has reported this; a port that is tried answers, or never does. */
async function resultFor(
  report: string,
  service: Partial<AwaitedService>,
  answers: boolean,
  signal = quiet,
): Promise<{ result: ReadyResult; commands: string[] }> {
  let result: ReadyResult | undefined;
  const { host, commands } = recordingHost();
  const capture: Host["processes"]["capture"] = (argv, options = {}) => {
    const given = { code: 143, signal: null, stdout: "", stderr: "" };
    void host.processes.capture(argv, options);
    return answers ? Promise.resolve({ ...given, code: 0 }) : new Promise((resolve) => {
      options.signal!.addEventListener("abort", () => resolve(given));
    });
  };
  const waiting = { ...host, processes: { ...host.processes, capture } };
  await inFolder(async (folder) => {
    const paths = pathsIn(folder);
    await Deno.mkdir(paths.own);
    await Deno.writeTextFile(paths.result, report);
    const whole = { paths, address: "10.0.0.9", ports: [], hasHealthcheck: false, ...service };
    result = await waitForService(waiting, whole, 77, 2_000, signal);
  });
  return { result: result!, commands: commands() };
}

const STARTED = "ready\nstarted\n";
const PORT = { ports: [5432] };
const TESTED = { ...PORT, hasHealthcheck: true };

/** What a service is, what it reports, whether its ports answer, and how the wait ends. */
const WAITS: readonly (readonly [Partial<AwaitedService>, string, boolean, ReadyResult])[] = [
  [PORT, STARTED, true, { kind: "ready" }],
  [PORT, STARTED, false, { kind: "late" }],
  [PORT, `${STARTED}healthy\n`, false, { kind: "late" }],
  [TESTED, `${STARTED}healthy\n`, false, { kind: "ready" }],
  [TESTED, STARTED, true, { kind: "late" }],
  [{}, STARTED, false, { kind: "ready" }],
  [{}, "ready\n", false, { kind: "late" }],
  [{}, `${STARTED}exited 3\n`, false, { kind: "exited", code: 3 }],
  [TESTED, `${STARTED}healthy\nexited 0\n`, true, { kind: "exited", code: 0 }],
  [PORT, "ready\ncannot start no x\n", true, { kind: "failed", reason: "no x" }],
  [PORT, `${STARTED}exited 127\n`, false, {
    kind: "failed",
    reason: "its command cannot run: it ended with 127",
  }],
  [{}, `${STARTED}exited 126\n`, false, {
    kind: "failed",
    reason: "its command cannot run: it ended with 126",
  }],
];

for (const [service, report, answers, expected] of WAITS) {
  const what = `${JSON.stringify(service)} that reports ${JSON.stringify(report)}`;
  Deno.test(`waitForService() for ${what}${answers ? " and answers" : ""}`, async () => {
    assert.deepEqual((await resultFor(report, service, answers)).result, expected);
  });
}

Deno.test("waitForService() tries all ports from the network of the job's machine", async () => {
  const { commands } = await resultFor(STARTED, { ports: [80, 443] }, false);
  assert.deepEqual(
    commands.map((line) => line.replace(WAIT_FOR_PORT_SCRIPT, "SCRIPT")),
    [80, 443].map((port) =>
      `nsenter --net=/proc/77/ns/net bash -c SCRIPT bash 10.0.0.9 ${port} 42`
    ),
  );
});

Deno.test("waitForService() ends at once when it is interrupted", async () => {
  const { result } = await resultFor(STARTED, PORT, false, AbortSignal.abort());
  assert.deepEqual(result, { kind: "late" });
});

/** A host with a real clock, on which bash and nsenter really run. */
function realHost(): Host {
  const { host } = recordingHost({ real: ["bash", "nsenter"] });
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const clock = { ...host.clock, monotonic: () => performance.now(), sleep, nap: sleep };
  return { ...host, clock, pid: () => Deno.pid };
}

/** Waits for ports of a service that runs. */
async function waitReally(
  address: string,
  ports: readonly number[],
  leader: number | null,
  timeout: number,
): Promise<ReadyResult> {
  let result: ReadyResult | undefined;
  await inFolder(async (folder) => {
    const paths = pathsIn(folder);
    await Deno.mkdir(paths.own);
    await Deno.writeTextFile(paths.result, STARTED);
    const service = { paths, address, ports, hasHealthcheck: false };
    result = await waitForService(realHost(), service, leader, timeout, quiet);
  });
  return result!;
}

/** Prints a free port of the loopback, and listens on it after a while. */
const LISTEN_LATE = `
const address = { hostname: "127.0.0.1", port: 0 };
const free = Deno.listen(address);
const { port } = free.addr;
free.close();
console.log(port);
await new Promise((resolve) => setTimeout(resolve, Number(Deno.args[0])));
for await (const _ of Deno.listen({ ...address, port }));
`;

/** Starts a program, calls the function with its first line and its process id, and kills it. */
async function whileRunning(
  [program, ...args]: readonly [string, ...string[]],
  act: (line: string, pid: number) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  try {
    await act(new TextDecoder().decode((await reader.read()).value).trim(), child.pid);
  } finally {
    child.kill("SIGKILL");
    await Promise.all([reader.cancel(), child.status]);
  }
}

Deno.test("waitForService() is ready as soon as one of two ports answers", async () => {
  await inFolder(async (folder) => {
    const program = `${folder}/listen.ts`;
    await Deno.writeTextFile(program, LISTEN_LATE);
    const listener = (ms: number) =>
      [Deno.execPath(), "run", "--quiet", "--no-config", "--allow-net", program, `${ms}`] as const;
    await whileRunning(listener(3_600_000), async (never) => {
      await whileRunning(listener(1_500), async (late) => {
        const ports = [Number(never), Number(late)];
        assert.deepEqual(await waitReally("127.0.0.1", ports, null, 60_000), { kind: "ready" });
      });
    });
  });
});

Deno.test("WAIT_FOR_PORT_SCRIPT ends with its caller", async () => {
  const nobody = "4194305"; // more than PID_MAX_LIMIT of the kernel
  const args = ["-c", WAIT_FOR_PORT_SCRIPT, "bash", "127.0.0.1", "0", nobody];
  const { code, stdout, stderr } = await new Deno.Command("bash", { args }).output();
  assert.deepEqual([code, stdout.length, stderr.length], [1, 0, 0]);
});

/** A network in which what is sent to 10.9.9.9 is lost. */
const LOSSY = `
ip link add v0 type veth peer v1
ip address add 10.9.9.1/24 dev v0
ip link set v0 up
ip link set v1 up
ip neighbour add 10.9.9.9 lladdr 02:00:00:00:00:09 dev v0
echo up
exec sleep 60
`;

const silent = "waitForService() ends in time where a connection gets no answer at all";
Deno.test(silent, async () => {
  if (Deno.uid() !== 0) return skip(silent, "not root");
  await whileRunning(["unshare", "--net", "sh", "-ec", LOSSY], async (line, pid) => {
    assert.equal(line, "up");
    const began = performance.now();
    assert.deepEqual(await waitReally("10.9.9.9", [80], pid, 300), { kind: "late" });
    assert.ok(performance.now() - began < 20_000, "long before the kernel gives up");
  });
});
