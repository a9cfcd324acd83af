/** Runs an Ansible playbook on a tree, through the tree's build machine. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { runTool } from "../../linux/tool.ts";
import { quoteCommand } from "../../text/quote.ts";
import type { Playbook } from "../definition/playbook.ts";
import type { BuildMachine } from "../generations/context.ts";
import { CONNECTION_PLUGIN } from "./ansible_connection.ts";

/** The program that runs playbooks. */
export const ANSIBLE_PLAYBOOK = "ansible-playbook";

/** A playbook to run on a tree. */
export interface Play {
  /** The chroot, which is also the host's name in the inventory. */
  readonly name: ChrootName;
  readonly tree: string;
  readonly playbook: Playbook;
  /** The machine that has the tree as its root. */
  readonly machine: BuildMachine;
}

/** Runs a playbook on a tree. Each task enters the tree's machine. */
export async function runPlaybook(
  host: Host,
  play: Play,
  interrupt: AbortSignal,
): Promise<void> {
  const { playbook: { path } } = play;
  host.log.info(`Running playbook ${path}`);
  const folder = await host.files.temporaryDirectory("nspawn-runner-ansible-");
  try {
    const inventory = await prepareFolder(host, folder, play);
    const env = { ANSIBLE_CONFIG: join(folder, "ansible.cfg"), ANSIBLE_NOCOLOR: "1" };
    const argv = [ANSIBLE_PLAYBOOK, "--inventory", inventory, "--", path] as const;
    // To enter the machine takes the host's process ids.
    await runTool(host, argv, env, interrupt, { confined: false });
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure(`Cannot run playbook ${path}: it failed`, "See its output above", error);
  } finally {
    await host.files.removeTree(folder);
  }
}

async function prepareFolder(
  host: Host,
  folder: string,
  { name, tree, machine }: Play,
): Promise<string> {
  const plugins = join(folder, "connection");
  const wrapper = join(folder, "enter");
  const inventory = join(folder, "inventory.yaml");
  await host.files.makeDirectory(plugins);
  await host.files.write(join(plugins, "chroot.py"), CONNECTION_PLUGIN);
  await host.files.write(wrapper, wrapperScript(host.pid(), machine.enter([])), 0o700);
  await host.files.write(inventory, inventoryOf(name, tree, wrapper));
  await host.files.write(join(folder, "ansible.cfg"), settingsOf(folder, plugins));
  return inventory;
}

/**
 * Returns the program that Ansible calls in place of chroot(8), with the tree and a command.
 *
 * @param pid This process: Ansible's workers may outlive it, and must not go on then.
 * @param enter The beginning of a command line that runs a command in the tree's machine.
 */
export function wrapperScript(pid: number, enter: Argv): string {
  return `#!/bin/sh
[ -e /proc/${pid} ] || exit 1
shift
exec ${quoteCommand(enter)} "$@"
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
