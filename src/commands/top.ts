import type { CommandRun } from "../app/command.ts";
import { interruptible } from "../app/interrupt.ts";
import type { Host, TerminalSize } from "../host/host.ts";
import { diskSpace } from "../linux/disk.ts";
import { listMachines, type MachineEntry } from "../machines/report/list.ts";
import { formatAge } from "../text/age.ts";
import { formatDuration } from "../text/duration.ts";
import { printableJson } from "../text/json.ts";
import { printable } from "../text/printable.ts";
import { formatSize } from "../text/size.ts";
import { formatTable } from "../text/table.ts";

/** Shows what machines use. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { store } = await load();
  if (invocation.switches.has("json")) {
    return host.terminal.out(printableJson(await listMachines(host, store)));
  }
  if (host.terminal.is("stdout")) {
    return await interruptible(host, (end) => watch(host, store, end));
  }
  const rows = (await listMachines(host, store)).map((entry) => rowOf(entry, cpuTime(entry)));
  host.terminal.out(rows.map((row) => row.join(" ") + "\n").join(""));
};

/** Milliseconds between two tables. */
const INTERVAL = 2_000;

/** The beginning of the screen, and the end of a line and of the screen without what was there: console_codes(4). */
const HOME = "\x1b[H";
const REST_OF_LINE = "\x1b[K";
const REST_OF_SCREEN = "\x1b[J";

/** Shows tables until a key is pressed or the signal is aborted. */
async function watch(host: Host, store: string, interrupt: AbortSignal): Promise<void> {
  const pressed = new AbortController();
  const end = AbortSignal.any([interrupt, pressed.signal]);
  const ended = new Promise<void>((resolve) => end.addEventListener("abort", () => resolve()));
  const key = host.terminal.is("stdin")
    ? host.terminal.key(interrupt).then(() => pressed.abort())
    : Promise.resolve();
  let before: Sample | null = null;
  while (!end.aborted) {
    const sample = { at: host.clock.monotonic(), entries: await listMachines(host, store) };
    const text = fitting(await screenOf(host, store, sample, before), await host.terminal.size());
    host.terminal.out(`${HOME}${text.replaceAll("\n", `${REST_OF_LINE}\n`)}${REST_OF_SCREEN}`);
    before = sample;
    await Promise.race([host.clock.sleep(INTERVAL), ended]);
  }
  await key;
}

/** Cuts lines that the terminal would wrap, and those that would make it scroll; the last line is the cursor's. */
function fitting(text: string, { rows, columns }: TerminalSize): string {
  const lines = text.trimEnd().split("\n").map((line) => line.slice(0, columns));
  const most = Math.max(1, rows - 1);
  const hidden = lines.length - most;
  const shown = hidden <= 0
    ? lines
    : [...lines.slice(0, most - 1), `and ${hidden + 1} more`.slice(0, columns)];
  return shown.map((line) => `${line}\n`).join("");
}

/** The machines at a moment. */
interface Sample {
  /** Milliseconds of a clock that nobody sets. */
  readonly at: number;
  readonly entries: readonly MachineEntry[];
}

const HEAD = ["ID", "PROJECT", "IMAGE", "STATE", "AGE", "CPU", "MEMORY", "TASKS", "WRITTEN"];

async function screenOf(
  host: Host,
  store: string,
  now: Sample,
  before: Sample | null,
): Promise<string> {
  const shares = now.entries.map((entry) => ({ entry, share: cpuShare(entry, now, before) }));
  shares.sort((one, other) => (other.share ?? 0) - (one.share ?? 0));
  const rows = shares.map(({ entry, share }) =>
    rowOf(entry, share === null ? "-" : `${Math.round(share)}%`)
  );
  const memory = now.entries.reduce((sum, entry) => sum + (entry.memory ?? 0), 0);
  const space = await diskSpace(host, store);
  const free = space === null ? "" : `, ${formatSize(space.free)} free at ${store}`;
  const count = now.entries.filter(({ state }) => state === "running").length;
  const summary = `Machines that run: ${count}, memory ${formatSize(memory)}${free}`;
  const end = host.terminal.is("stdin") ? "Any key ends this" : "Ctrl+C ends this";
  return printable([summary, end, "", formatTable(HEAD, rows)].join("\n"));
}

/** Returns the percentage of one processor since the sample before. */
function cpuShare(entry: MachineEntry, now: Sample, before: Sample | null): number | null {
  const earlier = before?.entries.find(({ machine }) => machine === entry.machine)?.cpu ?? null;
  if (before === null || entry.cpu === null || earlier === null) return null;
  return Math.max(0, entry.cpu - earlier) / 10 / Math.max(1, now.at - before.at);
}

function cpuTime({ cpu }: MachineEntry): string {
  return cpu === null ? "-" : formatDuration(cpu / 1000);
}

/** No cell has a blank, for programs that split the line. */
function rowOf(entry: MachineEntry, cpu: string): readonly string[] {
  const { id, project, image, state, age, memory, tasks, written } = entry;
  const size = (bytes: number | null) => bytes === null ? "-" : formatSize(bytes);
  return [
    ...[id, project ?? "-", image, state, formatAge(age), cpu],
    ...[size(memory), tasks?.toString() ?? "-", size(written)],
  ].map((cell) => cell.replaceAll(/\s/g, ""));
}
