/** A shell in a chroot itself, which is not booted. */

import type { Ending } from "../ending.ts";
import { attend } from "../host/attend.ts";
import type { Argv, Host } from "../host/host.ts";
import type { Chroot } from "./chroot.ts";
import { whileLocked } from "./lock.ts";
import { toolEnvironment } from "./tool.ts";
import { refuseRead, type Users } from "./users.ts";

/**
 * Opens a shell in a chroot, on our own streams. What is changed there stays.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param chroot Where.
 * @param users Who may run from it.
 * @returns How the shell ended.
 * @throws {Failure} where machines run from it, or somebody changes it.
 */
export async function logIn(
  host: Host,
  store: string,
  chroot: Chroot,
  users: Users,
): Promise<Ending> {
  return await whileLocked(host, store, chroot.name, async () => {
    await refuseRead(users, chroot.name, "log in to");
    const terminal = host.terminal.is("stdin") && host.terminal.is("stdout");
    const systemd = await host.files.lstat("/run/systemd/system") !== null;
    const term = host.env("TERM");
    const env = toolEnvironment(host, term === undefined ? {} : { TERM: term });
    return { kind: "exited", code: await attend(host, loginArgv(chroot, terminal, systemd), env) };
  });
}

/**
 * The command line that opens the shell.
 *
 * @param chroot Where.
 * @param terminal Whether we have one to hand on.
 * @param systemd Whether systemd is PID 1: only then is there somebody to register with.
 * @returns The words.
 */
export function loginArgv(chroot: Chroot, terminal: boolean, systemd: boolean): Argv {
  // A machine's name may not hold all that a chroot's may, and ends with a letter or digit.
  const name = `login-${chroot.name.replaceAll(/[^A-Za-z0-9]+/g, "-").slice(0, 50)}`;
  return [
    "systemd-nspawn",
    "--quiet",
    `--machine=${name.replace(/-+$/, "")}`,
    `--directory=${chroot.path}`,
    ...(systemd ? [] : ["--register=no", "--keep-unit"]),
    `--console=${terminal ? "interactive" : "pipe"}`,
    "--as-pid2",
  ];
}
