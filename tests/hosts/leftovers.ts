/** What a machine must not leave on its host. */

import type { TestHost } from "./host.ts";

/**
 * All that looks like a machine's.
 *
 * @param host Where.
 * @param apart What may stay.
 * @param patience How often it is looked again, 0.1 s after the last look, while there is anything.
 * @returns One line each; none on a clean host.
 */
export async function leftovers(
  host: TestHost,
  apart = /^$/,
  patience = 300,
): Promise<string[]> {
  for (let tries = 0;; tries++) {
    const found = (await look(host)).filter((line) => !apart.test(line));
    // What was killed may take a moment to be reaped, and a machine that is busy longer.
    if (found.length === 0 || tries === patience) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function look(host: TestHost): Promise<string[]> {
  const found = [
    ...await processes(host),
    ...await mounts(host),
    ...await disks(host),
    ...await folders(host),
  ];
  if (host.kind === "systemd") found.push(...await units(host));
  return found;
}

async function processes(host: TestHost): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await host.processes()) {
    const name = await Deno.readTextFile(`/proc/${pid}/comm`).catch(() => ""); // it just ended
    const words = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    const outermost = words.includes("--machine=nrt-"); // the host itself
    if (/^(systemd-nspawn|nsenter)/.test(name) && !outermost) {
      found.push(`process ${pid}: ${words.replaceAll("\0", " ")}`);
    }
  }
  return found;
}

async function mounts(host: TestHost): Promise<string[]> {
  const table = await Deno.readTextFile(host.outside("/proc/1/mountinfo"));
  return table.split("\n").map((line) => line.split(" ")[4] ?? "")
    // A host made by the tests has such a folder itself, on a machine with a newer nspawn.
    .filter((point) => /\/\.machines\/|^\/run\/systemd\/nspawn\/unix-export\/(?!nrt-)/.test(point))
    .map((point) => `mount ${point}`);
}

/** A disk of a machine, or of one that is gone. */
async function disks(host: TestHost): Promise<string[]> {
  const argv = ["losetup", "--list", "--noheadings", "--output=NAME,BACK-FILE"];
  const { stdout } = await host.exec(argv);
  return stdout.split("\n").filter((line) => line.includes("/.disks/"))
    .map((line) => `loop device ${line}`);
}

/** What a store holds of machines. */
const STORED = [".machines", ".leases", ".disks"];

/** Names that begin with a dot are what the program knows of this boot, and keeps on purpose. */
async function folders(host: TestHost): Promise<string[]> {
  const stores = host.btrfs === null ? [host.store] : [host.store, host.btrfs];
  const paths = ["/run/nspawn-runner", "/run/systemd/machines"];
  for (const store of stores) paths.push(...STORED.map((name) => `${store}/${name}`));
  const found: string[] = [];
  for (const path of paths) {
    const entries = await Array.fromAsync(Deno.readDir(host.outside(path))).catch(() => []);
    found.push(
      ...entries.filter(({ name }) => !name.startsWith(".")).map(({ name }) => `${path}/${name}`),
    );
  }
  for (const store of stores) {
    const entries = await Array.fromAsync(Deno.readDir(host.outside(store))).catch(() => []);
    found.push(
      ...entries.map(({ name }) => name).filter((name) => /^\.(trial|#)/.test(name))
        .map((name) => `${store}/${name}`),
    );
  }
  return found;
}

async function units(host: TestHost): Promise<string[]> {
  const listed = await host.exec([
    ...["systemctl", "list-units", "--all", "--plain", "--no-legend", "nspawn-runner*"],
  ]);
  const known = await host.exec(["machinectl", "list", "--no-legend"]);
  const lines = `${listed.stdout}${known.stdout}`.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => `unit or machine ${line}`);
}
