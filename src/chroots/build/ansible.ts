/** Runs a playbook on a tree that is not booted. */

import { join } from "@std/path/posix";
import { hostFailure, messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { WORKSHOP } from "../../linux/nspawn_leftovers.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { CONNECTION_PLUGIN } from "./ansible_connection.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { runTool } from "../../linux/tool.ts";

/** The program that runs playbooks. */
export const ANSIBLE_PLAYBOOK = "ansible-playbook";

/**
 * Runs a playbook on a tree: each task enters it by systemd-nspawn.
 *
 * @param host The outside.
 * @param name The chroot, as the playbook's inventory calls it.
 * @param tree Its tree.
 * @param playbook The playbook's path.
 * @param interrupt Ends it when aborted.
 * @throws {Failure} of the host where it fails.
 */
export async function runPlaybook(
  host: Host,
  name: ChrootName,
  tree: string,
  playbook: string,
  interrupt: AbortSignal,
): Promise<void> {
  host.log.info(`Running playbook ${playbook}`);
  const folder = await host.files.temporaryDirectory("nspawn-runner-ansible-");
  const systemd = await host.files.lstat("/run/systemd/system") !== null;
  try {
    const inventory = await prepareFolder(host, folder, name, tree, systemd);
    const env = { ANSIBLE_CONFIG: join(folder, "ansible.cfg"), ANSIBLE_NOCOLOR: "1" };
    const argv = [ANSIBLE_PLAYBOOK, "--inventory", inventory, "--", playbook] as const;
    // With systemd, each nspawn makes a scope of its own, and systemd has to know its real pid.
    await runTool(host, argv, env, interrupt, { confined: !systemd });
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure(`Cannot run playbook ${playbook}: it failed`, messageOf(error));
  } finally {
    await host.files.removeTree(folder);
  }
}

async function prepareFolder(
  host: Host,
  folder: string,
  name: ChrootName,
  tree: string,
  systemd: boolean,
): Promise<string> {
  const plugins = join(folder, "connection");
  const wrapper = join(folder, "enter");
  const inventory = join(folder, "inventory.yaml");
  await host.files.makeDirectory(plugins);
  await host.files.write(join(plugins, "chroot.py"), CONNECTION_PLUGIN);
  await host.files.write(
    wrapper,
    wrapperScript(systemd, host.pid(), await timezoneOptions(host, tree)),
    0o700,
  );
  await host.files.write(inventory, inventoryOf(name, tree, wrapper));
  await host.files.write(join(folder, "ansible.cfg"), settingsOf(folder, plugins));
  return inventory;
}

/**
 * The program that Ansible calls as it would chroot(8): the tree, then a command.
 *
 * @param systemd Whether systemd is PID 1: only then is there somebody to register with.
 * @param pid Our own.
 * @param timezone nspawn's options for the time zone.
 * @returns A script.
 */
export function wrapperScript(
  systemd: boolean,
  pid: number,
  timezone: readonly string[],
): string {
  const options = [
    `--machine="${WORKSHOP}playbook-$$-${pid}"`,
    ...(systemd ? [] : ["--register=no", "--keep-unit"]),
    ...timezone,
  ].join(" ");
  // A worker of Ansible's may live on when we are killed; without systemd it cannot, nor see us.
  const guard = systemd ? `[ -e /proc/${pid} ] || exit 1\n` : "";
  return `#!/bin/sh
${guard}exec systemd-nspawn ${options} --as-pid2 --console=pipe -qD "$@"
`;
}

/**
 * The inventory: one host, which is the tree. JSON is YAML.
 *
 * @param name What the host is called.
 * @param tree Where it is.
 * @param wrapper What enters it.
 * @returns The file's content.
 */
export function inventoryOf(name: string, tree: string, wrapper: string): string {
  const variables = {
    ansible_connection: "chroot",
    ansible_host: tree,
    ansible_chroot_exe: wrapper,
    ansible_python_interpreter: "/usr/bin/python3",
  };
  return JSON.stringify({ all: { hosts: { [name]: variables } } }, null, 2) + "\n";
}

function settingsOf(folder: string, plugins: string): string {
  return `[defaults]
connection_plugins = ${plugins}
local_tmp = ${join(folder, "tmp")}
nocows = true
retry_files_enabled = false
pipelining = true
`;
}
