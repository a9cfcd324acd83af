/** A virtual machine with its own kernel, cgroup v2 and all controllers. */

import { must, type Options, type Result, run } from "../hosts/command.ts";
import { type Folder, openFolder } from "../hosts/folder.ts";
import { until } from "../hosts/init_process.ts";
import { quoteAll } from "../../src/text/quote.ts";
import { accelerator } from "./accelerator.ts";
import { MAC } from "./guest.ts";
import { GUEST, type Image, image, makeDisk } from "./image.ts";

/** A running virtual machine. */
export interface VirtualMachine {
  /** Runs a command as root to its end; the code 255 may also mean a signal. */
  exec(argv: readonly string[], options?: Options): Promise<Result>;
  /** Writes a file. */
  push(text: string, path: string): Promise<void>;
  /** Cuts its power and starts it again; unwritten data is lost. */
  cutPower(): Promise<void>;
  /** Ends and removes it. */
  down(): Promise<void>;
}

/** In milliseconds: emulation is thirty times slower, and this machine may be busy. */
const BOOT_PATIENCE = 600_000;
const EXEC_PATIENCE = 600_000;

/**
 * Boots a virtual machine from a new copy of the image, and waits until it accepts ssh.
 *
 * @param folder A folder that it has read-only, as it is now, at the same path.
 * @throws {Error} with its last output, when it does not boot.
 */
export async function up(folder: string): Promise<VirtualMachine> {
  const base = await image();
  const place = await openFolder(); // the watcher ends it, however the tests end
  try {
    await makeDisk(folder, `${place.path}/folder.raw`, "512M");
    const port = freePort();
    const pid = await start(place, qemuArgv(base, place.path, port, await accelerator()));
    const ssh = sshArgv(base, place.path, port);
    const exec = (argv: readonly string[], options: Options = {}) =>
      run([...ssh, GUEST, quoteAll(argv)], { timeout: EXEC_PATIENCE, ...options });
    await untilReady(place, pid, ssh, exec);
    const checked = async (script: string, words: readonly string[], stdin = "") => {
      const done = await exec(["sh", "-ec", script, "sh", ...words], { stdin });
      if (done.code !== 0) throw new Error(`${script} ended with ${done.code}: ${done.stderr}`);
    };
    const mount = () => checked('mkdir -p "$1" && mount -o ro /dev/vdb "$1"', [folder]);
    await mount();
    return {
      exec,
      cutPower: async () => {
        const before = await resets(place);
        await exec(["sh", "-c", "(sleep 2; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"]);
        await run([...ssh, "-O", "exit", GUEST]);
        // An earlier connection would still be to the old boot.
        const isCut = async () => await resets(place) > before ? true : null;
        if (!await until(isCut, BOOT_PATIENCE)) throw new Error("the power stays on");
        await untilReady(place, pid, ssh, exec);
        await mount();
      },
      push: (text, path) =>
        checked('mkdir -p "$(dirname "$1")" && cat >"$1" && chmod 0700 "$1"', [path], text),
      down: place.close,
    };
  } catch (error) {
    await place.close();
    throw error;
  }
}

/** Returns how often its kernel printed the message of a power cut. */
async function resets({ path }: Folder): Promise<number> {
  return (await Deno.readTextFile(`${path}/console`)).split("sysrq: Resetting").length - 1;
}

/** Returns QEMU's command line. Writes of the guest go to an unnamed file, which ends with QEMU. */
function qemuArgv(
  base: Image,
  folder: string,
  port: number,
  processor: readonly string[],
): string[] {
  const drive = (id: string, file: string, more: string) => [
    ...["-drive", `if=none,id=${id},format=raw,file=${file},${more}`],
    ...["-device", `virtio-blk-pci,drive=${id}`],
  ];
  return [
    "env",
    `TMPDIR=${folder}`,
    "qemu-system-x86_64",
    ...["-nodefaults", "-no-user-config", "-machine", "q35", "-display", "none"],
    ...[...processor, "-smp", "2", "-m", "2G"],
    ...["-kernel", base.kernel, "-initrd", base.initrd],
    ...["-append", "root=/dev/vda rw console=ttyS0 quiet panic=1 mitigations=off net.ifnames=0"],
    ...["-serial", `file:${folder}/console`],
    ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...["-device", `virtio-net-pci,netdev=net,mac=${MAC},romfile=`, "-device", "virtio-rng-pci"],
    ...drive("root", base.disk, "snapshot=on,cache=unsafe"),
    ...drive("folder", `${folder}/folder.raw`, "readonly=on"),
  ];
}

/** All calls share one connection, since connecting takes seconds. */
function sshArgv(base: Image, folder: string, port: number): string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: "10",
    ControlPath: `${folder}/ssh`,
    HostKeyAlias: GUEST,
    HostName: "127.0.0.1",
    IdentitiesOnly: "yes",
    LogLevel: "ERROR",
    StrictHostKeyChecking: "yes",
    User: "root",
    UserKnownHostsFile: base.knownHosts,
  };
  const words = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return ["ssh", "-F", "none", "-i", base.key, "-p", `${port}`, ...words];
}

/** Starts QEMU in the cgroup of its folder, so that nothing of it outlives the tests. */
function inCgroup(place: Folder, script: string, argv: readonly string[]): string[] {
  const words = ["sh", place.cgroup, `${place.path}/log`, ...argv];
  return ["sh", "-c", `cgroup=$1 log=$2; shift 2; ${script}`, ...words];
}

async function start(place: Folder, argv: readonly string[]): Promise<number> {
  const script = '(echo 0 >"$cgroup/cgroup.procs" && exec setsid "$@") ' +
    '</dev/null >"$log" 2>&1 & echo $!';
  const pid = Number(await must(inCgroup(place, script, argv)));
  await place.record(pid);
  return pid;
}

type Exec = VirtualMachine["exec"];

async function untilReady(
  place: Folder,
  pid: number,
  ssh: readonly string[],
  exec: Exec,
): Promise<void> {
  // It stays in the background, and must not hold the pipes open.
  const script = 'echo 0 >"$cgroup/cgroup.procs" && exec "$@" </dev/null >>"$log" 2>&1';
  const connect = inCgroup(place, script, [...ssh, "-f", "-N", "-M", GUEST]);
  const connected = await until(async () => {
    if ((await run(connect)).code === 0) return true;
    return await exists(`/proc/${pid}`) ? null : false;
  }, BOOT_PATIENCE);
  const state = connected === true
    ? (await exec(["systemctl", "is-system-running", "--wait"])).stdout.trim()
    : `not within reach`;
  if (state === "running") return;
  const failed = connected === true ? await exec(["systemctl", "--failed", "--no-legend"]) : null;
  throw new Error(
    [
      `the virtual machine is ${state}: ${failed?.stdout ?? ""}`,
      await Deno.readTextFile(`${place.path}/log`),
      await Deno.readTextFile(`${place.path}/console`).catch(() => ""), // there is none yet
    ].join("\n"),
  );
}

/** Returns a port that is free now; QEMU takes it a moment later. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
