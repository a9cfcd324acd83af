/** Checks whether users of the host can read the command lines of jobs. */

import type { Host } from "../host/host.ts";
import { readKernel } from "../linux/proc.ts";
import { type Check, ok, weak } from "./finding.ts";

const TOPIC = "command lines";

/** Whether /proc hides the processes of others, where people have accounts: proc(5), hidepid. */
export const hostUsers: Check = async (host) => {
  const user = await firstUser(host);
  if (user === null) return [];
  const options = (await readKernel(host, "/proc/self/mounts"))
    .match(/^\S+ \/proc proc (\S+)/m)?.[1]?.split(",") ?? [];
  if (options.some((one) => /^hidepid=(?:[124]|noaccess|invisible|ptraceable)$/.test(one))) {
    return ok(TOPIC, "hidden from users of the host");
  }
  return weak(
    TOPIC,
    `${user} and other users of the host can read those of jobs`,
    "Mount /proc with hidepid=invisible, and keep tokens out of command lines: proc(5)",
  );
};

/** Returns the first account of a person that can log in; null where there is none: passwd(5). */
async function firstUser(host: Host): Promise<string | null> {
  const lines = (await host.files.read("/etc/passwd").catch(() => null) ?? "").split("\n");
  const accounts = lines.map((line) => line.split(":"));
  const user = accounts.find(([, , uid, , , , shell = ""]) =>
    Number(uid) >= 1000 && Number(uid) < 60_000 && !/\/(?:nologin|false)$/.test(shell)
  );
  return user?.[0] ?? null;
}
