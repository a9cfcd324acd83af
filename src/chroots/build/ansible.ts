/** Runs an Ansible playbook on a tree that is not booted. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { commonNspawnArgv } from "../../linux/nspawn.ts";
import { BUILD_MACHINE_PREFIX } from "../../linux/nspawn_leftovers.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { runTool } from "../../linux/tool.ts";
import { CONNECTION_PLUGIN } from "./ansible_connection.ts";

/** The program that runs playbooks. */
export const ANSIBLE_PLAYBOOK = "ansible-playbook";

/**
 * Runs a playbook on a tree. Each task enters the tree by systemd-nspawn.
 *
 * @param name The chroot, which is also the host's name in the inventory.
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
  const isRegistered = await isSystemdHost(host);
  try {
    const inventory = await prepareFolder(host, folder, name, tree, isRegistered);
    const env = { ANSIBLE_CONFIG: join(folder, "ansible.cfg"), ANSIBLE_NOCOLOR: "1" };
    const argv = [ANSIBLE_PLAYBOOK, "--inventory", inventory, "--", playbook] as const;
    // To register a scope, nspawn needs its real pid.
    await runTool(host, argv, env, interrupt, { confined: !isRegistered });
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure(`Cannot run playbook ${playbook}: it failed`, "See its output above", error);
  } finally {
    await host.files.removeTree(folder);
  }
}

async function prepareFolder(
  host: Host,
  folder: string,
  name: ChrootName,
  tree: string,
  isRegistered: boolean,
): Promise<string> {
  const plugins = join(folder, "connection");
  const wrapper = join(folder, "enter");
  const inventory = join(folder, "inventory.yaml");
  await host.files.makeDirectory(plugins);
  await host.files.write(join(plugins, "chroot.py"), CONNECTION_PLUGIN);
  await host.files.write(
    wrapper,
    wrapperScript(isRegistered, host.pid(), await timezoneOptions(host, tree)),
    0o700,
  );
  await host.files.write(inventory, inventoryOf(name, tree, wrapper));
  await host.files.write(join(folder, "ansible.cfg"), settingsOf(folder, plugins));
  return inventory;
}

/**
 * Returns the program that Ansible calls in place of chroot(8), with the tree and a command.
 *
 * @param pid This process.
 * @param timezone nspawn's options for the time zone.
 */
export function wrapperScript(
  isRegistered: boolean,
  pid: number,
  timezone: readonly string[],
): string {
  const argv = commonNspawnArgv({
    machine: `${BUILD_MACHINE_PREFIX}playbook-$$-${pid}`, // the shell replaces $$ by its own pid
    registration: isRegistered ? "scope" : "none",
    timezone,
  });
  // Ansible's workers may outlive this process; confined ones cannot, and do not see its pid.
  const guard = isRegistered ? `[ -e /proc/${pid} ] || exit 1\n` : "";
  return `#!/bin/sh
${guard}exec ${argv.join(" ")} --as-pid2 --directory "$@"
`;
}

/**
 * Returns an inventory with one host, the tree. JSON is valid YAML.
 *
 * @param name The host's name.
 * @param wrapper The program that enters the tree.
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
