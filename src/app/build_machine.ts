/** The machine in which a chroot is built: its root is the tree itself. */

import { join } from "@std/path/posix";
import type { BuildMachine, WithBuildMachine } from "../chroots/generations/context.ts";
import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { inOwnCgroup } from "../linux/cgroups.ts";
import { runInForeground } from "../linux/foreground.ts";
import { toolEnvironment } from "../linux/tool.ts";
import { enterArgv } from "../machines/exec/enter.ts";
import { withOwnStreams } from "../machines/exec/streams.ts";
import { STOP_SECONDS } from "../machines/record/channel.ts";
import { idCount } from "../machines/record/ids.ts";
import type { Lease } from "../machines/record/lease.ts";
import { HOME_SHELL_SCRIPT, onOwnTerminal } from "../machines/use/shell.ts";
import { planForBuild } from "./machine_plan.ts";
import { withMachine } from "./short_machine.ts";

/** Returns how chroots get machines for their builds on this host. */
export function buildMachines(host: Host, config: Config): WithBuildMachine {
  return async (request, interrupt, act) =>
    await withMachine(
      host,
      planForBuild(host, config, request),
      interrupt,
      async ({ lease, ready }) => {
        for (const note of (await ready.network.details).notes) host.log.info(note);
        return await act(buildMachine(host, lease));
      },
    );
}

function buildMachine(host: Host, lease: Lease): BuildMachine {
  const leader = lease.leader!;
  // Below the machine's own cgroup, so that its limits apply; what a command leaves running ends with the command.
  const cgroup = join(leader.cgroup, "build");
  const enter: BuildMachine["enter"] = (argv) =>
    withOwnStreams(lease, inOwnCgroup(cgroup, STOP_SECONDS, enterArgv({ lease, leader }, argv)));
  return {
    ids: lease.ids === null ? Infinity : idCount(lease.ids),
    enter,
    async openShell() {
      const argv = enter(["/bin/sh", "-c", HOME_SHELL_SCRIPT]);
      const isTerminal = host.terminal.is("stdin") && host.terminal.is("stdout");
      const env = toolEnvironment(host, { TERM: host.env("TERM") ?? "dumb" });
      return await runInForeground(host, isTerminal ? onOwnTerminal(argv) : argv, env, isTerminal);
    },
  };
}
