/** GitLab Runner's side of prepare, run and cleanup, and a host without systemd for them. */

import type { Host } from "../../../src/host/host.ts";
import { type Lease, writeLease } from "../../../src/machines/record/lease.ts";
import { machineName } from "../../../src/machines/record/name.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import { leaseOf } from "../machines/fixture.ts";
import { answerCat, HOST_FILES, nspawnFiles, processFiles } from "../machines/fake_kernel.ts";
import { standaloneHost } from "../machines/standalone_host.ts";
import { withPlayedServer } from "../machines/played_server.ts";
import type { Answer } from "../recording_host.ts";

/** What may show up nowhere. */
export const SECRET = "glcbt-secret";
/** `printf https://git.example | sha256sum | head -c 8` */
export const SERVER_HASH = "212bdc71";
/** The machine of the trusted job. */
export const MACHINE = machineName("42", SERVER_HASH);
/** Its PID 1. */
export const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/cg",
  dropped: [12],
  noNewPrivileges: false,
  filtered: true,
};

/** Its files in /proc, once nspawn has started it. */
const KERNEL = {
  ...HOST_FILES,
  ...nspawnFiles("77 "),
  ...processFiles({
    ...{ pid: 77, start: 9, isInit: true },
    bounding: "a00405fb",
    noNewPrivileges: () => true,
  }),
};

/** A store with one chroot, the files of a job, and a host on which its machine starts. */
export async function scene(
  folder: string,
  report: (nonce: string, request: string) => string = () => "",
  onStart?: () => void,
) {
  const store = `${folder}/store`;
  await Deno.mkdir(`${store}/bookworm/usr/bin`, { recursive: true });
  await Deno.writeTextFile(`${store}/bookworm/usr/bin/git`, "");
  const config = `store = "${store}"\ndefinitions = "${folder}"\nstorage = "overlay"\n`;
  await Deno.writeTextFile(`${folder}/config.toml`, `${config}[limits]\nmemory_max = "1G"\n`);
  const response = {
    id: 42,
    token: SECRET,
    image: { name: "bookworm" },
    job_info: {},
    variables: [{ key: "CI_SERVER_URL", value: "https://git.example" }],
  };
  await Deno.writeTextFile(`${folder}/response.json`, JSON.stringify(response));
  const paths = machinePaths(store, MACHINE);
  const { result } = paths;
  const recording = standaloneHost(folder, (argv): Answer | void | Promise<Answer> => {
    if (argv[0] === "systemd-nspawn") return { stdout: "systemd 257\n" };
    if (argv.includes("systemd-nspawn")) {
      if (onStart) onStart();
      else Deno.writeTextFileSync(result, "ready\n", { append: true });
      return new Promise(() => {});
    }
    return answerCat(argv, KERNEL);
  });
  const env: Record<string, string> = {
    NSPAWN_RUNNER_CONFIG: `${folder}/config.toml`,
    JOB_RESPONSE_FILE: `${folder}/response.json`,
    BUILD_EXIT_CODE_FILE: `${folder}/build_exit_code`,
    BUILD_FAILURE_EXIT_CODE: "11",
    SYSTEM_FAILURE_EXIT_CODE: "12",
    CUSTOM_ENV_CI_JOB_ID: "666",
    CUSTOM_ENV_CI_JOB_IMAGE: "evil",
    CUSTOM_ENV_CI_SERVER_URL: "https://evil.example",
  };
  const served = withPlayedServer(recording.host, paths, report);
  const host: Host = { ...served, env: (name) => env[name] };
  return { ...recording, host, store, env, result };
}

/** Writes the lease of a machine that runs. */
export async function withMachine(host: Host, store: string, changes: Partial<Lease> = {}) {
  const own = { machine: MACHINE, boot: "boot-1", supervisor: "standalone", leader: LEADER };
  await writeLease(host, { ...leaseOf(store, "42"), ...own, booted: false, ...changes } as Lease);
  const paths = machinePaths(store, MACHINE);
  await host.files.makeDirectory(paths.own);
  await host.files.makeDirectory(paths.stage);
}
