/** Finds what machines left on their host. */

import type { TestHost } from "./host.ts";

/**
 * Returns everything on a host that belongs to machines, one line each. Looks again until there is
 * nothing, since killed processes take a moment to be reaped.
 *
 * @param apart Matches lines that may stay.
 * @param patience Milliseconds for which it looks again.
 */
export async function leftovers(
  host: TestHost,
  apart = /^$/,
  patience = 30_000,
): Promise<string[]> {
  const end = Date.now() + patience;
  for (let tries = 1;; tries++) {
    const found = (await look(host)).filter((line) => !apart.test(line));
    if (found.length === 0 || Date.now() >= end) return found;
    await new Promise((resolve) => setTimeout(resolve, Math.min(20 * tries, 100)));
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
  const table = await Deno.readTextFile(host.outerPath("/proc/1/mountinfo"));
  return table.split("\n").map((line) => line.split(" ")[4] ?? "")
    // Newer nspawns create such a folder also for the host itself.
    .filter((point) => /\/\.machines\/|^\/run\/systemd\/nspawn\/unix-export\/(?!nrt-)/.test(point))
    .map((point) => `mount ${point}`);
}

/** Disks of machines, also of removed ones. The kernel lists those of all hosts. */
async function disks(host: TestHost): Promise<string[]> {
  const argv = ["losetup", "--list", "--noheadings", "--output=NAME,BACK-FILE"];
  const { stdout } = await host.exec(argv);
  const stores = storesOf(host).map((store) => ` ${store}/.disks/`);
  return stdout.split("\n").filter((line) => stores.some((store) => line.includes(store)))
    .map((line) => `loop device ${line}`);
}

/** Folders of a store that hold machines' files. */
const STORED = [".machines", ".leases", ".disks"];

/** The folder of pulls, and files whose names begin with a dot, are the program's own for this boot. */
async function folders(host: TestHost): Promise<string[]> {
  const stores = storesOf(host);
  const paths = ["/run/nspawn-runner", "/run/systemd/machines"];
  for (const store of stores) paths.push(...STORED.map((name) => `${store}/${name}`));
  const found: string[] = [];
  for (const path of paths) {
    const entries = await Array.fromAsync(Deno.readDir(host.outerPath(path))).catch(() => []);
    found.push(
      ...entries.filter(({ name }) => !/^(?:\.|images$)/.test(name)).map(({ name }) =>
        `${path}/${name}`
      ),
    );
  }
  for (const store of stores) {
    const entries = await Array.fromAsync(Deno.readDir(host.outerPath(store))).catch(() => []);
    found.push(
      ...entries.map(({ name }) => name).filter((name) => /^\.(trial|#)/.test(name))
        .map((name) => `${store}/${name}`),
    );
  }
  return found;
}

function storesOf({ store, btrfs }: TestHost): string[] {
  return btrfs === null ? [store] : [store, btrfs];
}

async function units(host: TestHost): Promise<string[]> {
  const listed = await host.exec([
    ...["systemctl", "list-units", "--all", "--plain", "--no-legend", "nspawn-runner*"],
  ]);
  const known = await host.exec(["machinectl", "list", "--no-legend"]);
  const lines = `${listed.stdout}${known.stdout}`.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => `unit or machine ${line}`);
}
