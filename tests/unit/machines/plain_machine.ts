/** A plain machine, and a host without systemd on which it starts. */

import { machineName } from "../../../src/machines/record/name.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import type { MachinePlan } from "../../../src/machines/record/plan.ts";
import type { Answer } from "../recording_host.ts";
import {
  answerCat,
  HOST_FILES,
  type KernelFiles,
  nspawnFiles,
  processFiles,
} from "./fake_kernel.ts";
import { planOf } from "./fixture.ts";
import { standaloneHost } from "./standalone_host.ts";

/** A machine of GitLab. */
export const NAME = machineName("42", "ba7816bf");
/** Its PID 1, as its lease records it. */
export const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/cg/m",
  dropped: [12],
  noNewPrivileges: false,
  filtered: true,
};

/** Returns the plan of a plain machine in a store below a folder. */
export function planIn(folder: string): MachinePlan {
  return planOf(`${folder}/store`, { name: NAME });
}

/** Its PID 1, as the kernel shows it. */
export const INIT = {
  pid: 77,
  start: 9,
  isInit: true,
  bounding: "a00405fb",
  noNewPrivileges: () => true,
};

/** A host on which a plain machine starts: nspawn is process 1000 and on, the machine's PID 1 is 77. */
export function startingHost(folder: string, onDescribed = () => {}) {
  const { result } = machinePaths(planIn(folder).store, NAME);
  const files: KernelFiles = {
    ...HOST_FILES,
    ...nspawnFiles("76 77 "),
    ...processFiles({ pid: 76, start: 8, isInit: false }),
    ...processFiles(INIT),
    "/proc/77/uid_map": () => (onDescribed(), "0 0 4294967295\n"),
  };
  return standaloneHost(folder, (argv): Answer | void | Promise<Answer> => {
    if (argv[0] === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
    if (argv.includes("systemd-nspawn")) {
      Deno.writeTextFileSync(result, "ready\n", { append: true });
      return new Promise(() => {}); // lives on
    }
    return answerCat(argv, files);
  });
}
