/** Network namespaces that stand for the host's and for those of machines. */

import assert from "node:assert/strict";
import type { Argv, Host } from "../../../../src/host/host.ts";
import { skip } from "../../../skip.ts";
import { recordingHost } from "../../recording_host.ts";

/** Prints its pid and stays, in a network namespace of its own. */
function inNetwork(): Deno.ChildProcess {
  const args = ["--net", "sh", "-c", "echo $$ && exec sleep 60"];
  return new Deno.Command("unshare", { args, stdout: "piped" }).spawn();
}

async function pidOf(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value).trim();
}

/** Runs a command in the network of a process. */
export async function inNetworkOf(network: string, ...argv: string[]) {
  const args = [`--net=/proc/${network}/ns/net`, ...argv];
  const { code, stdout, stderr } = await new Deno.Command("nsenter", { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs ip(8) in the network of a process, and returns its output. */
export async function ip(network: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await inNetworkOf(network, "ip", ...words);
  assert.equal(code, 0, stderr);
  return stdout;
}

/**
 * Makes a network that stands for the host's, and some that stand for those of machines.
 *
 * @param act Gets a host whose processes run in the first network, and the process ids of all.
 */
export async function withNetworks(
  name: string,
  count: number,
  act: (own: Host, outside: string, inside: readonly string[]) => Promise<void>,
): Promise<void> {
  if (Deno.uid() !== 0) return skip(name, "not root");
  const children = Array.from({ length: count + 1 }, inNetwork);
  try {
    const [outside = "", ...inside] = await Promise.all(children.map(pidOf));
    const { host } = recordingHost({ real: ["nsenter"] });
    const { capture } = host.processes;
    const enter: Argv = ["nsenter", `--net=/proc/${outside}/ns/net`];
    const processes = {
      ...host.processes,
      capture: (argv: Argv, options = {}) => capture([...enter, ...argv], options),
    };
    // Who waits lives there as well: whatever is entered by mistake is no network of this machine.
    await act({ ...host, processes, pid: () => Number(outside) }, outside, inside);
  } finally {
    for (const child of children) end(child);
    await Promise.all(children.map((child) => child.status));
  }
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // the test has ended it
  }
}
