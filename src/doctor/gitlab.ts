/** Whether GitLab Runner calls us, and as it should. */

import { findHelper } from "../gitlab/helper.ts";
import { messageOf } from "../failure.ts";
import { broken, type Check, type Finding, ok, weak } from "./finding.ts";

const FILE = "/etc/gitlab-runner/config.toml";

/** The program that jobs need for artifacts and caches. */
export const helper: Check = async (host, config) => {
  const topic = "gitlab-runner";
  const path = await findHelper(host, config.gitlab_runner).catch(() => null);
  if (path === null) {
    return weak(
      topic,
      "not found",
      "Jobs with artifacts or a cache need it: install it, or set gitlab_runner",
    );
  }
  const { code, stdout } = await host.processes.capture([path, "--version"]);
  const [, version] = stdout.match(/^Version:\s*(\S+)/m) ?? [];
  if (code !== 0) return broken(topic, `${path} does not run`, "Install it anew");
  return ok(topic, `${path}${version === undefined ? "" : `, version ${version}`}`);
};

/** The sections of GitLab Runner's configuration that are for us. */
export const runners: Check = async (host, { prepare_timeout }) => {
  const topic = "config.toml";
  const paste = `nspawn-runner toml >>${FILE}`;
  const text = await host.files.read(FILE).catch(() => null);
  if (text === null) return weak(topic, `no ${FILE} here`, `On a runner host: ${paste}`);
  const { parse } = await import("smol-toml");
  let sections: readonly Section[];
  try {
    sections = sectionsIn(parse(text)["runners"]);
  } catch (error) {
    return broken(topic, `${FILE}: ${messageOf(error).trim()}`, "Mend it");
  }
  const ours = sections.filter(({ custom }) => /(^|\/)nspawn-runner$/.test(`${custom?.run_exec}`));
  if (ours.length === 0) return weak(topic, "no runner calls nspawn-runner", paste);
  const findings = await Promise.all(ours.map(async (section) => {
    const name = `runner ${section.name ?? "without a name"}`;
    const executable = `${section.custom?.run_exec}`;
    const isThere = await host.files.stat(executable) !== null;
    return isThere
      ? findingOf(name, section, prepare_timeout)
      : broken(name, `${executable} is not there`, "install.sh");
  }));
  return findings;
};

function sectionsIn(runners: unknown): Section[] {
  const all: readonly (Section | null)[] = Array.isArray(runners) ? runners : [];
  return all.filter((section) => section?.executor === "custom") as Section[];
}

/** The parts of a section that are looked at. */
interface Section {
  readonly name?: unknown;
  readonly executor?: unknown;
  readonly shell?: unknown;
  readonly custom?: Readonly<Record<string, unknown>>;
}

const STAGES = {
  config: "gitlab-config",
  prepare: "prepare",
  run: "run",
  cleanup: "cleanup",
} as const;

function findingOf(name: string, { shell, custom = {} }: Section, prepareTimeout: number): Finding {
  for (const [stage, word] of Object.entries(STAGES)) {
    const args = custom[`${stage}_args`];
    if (
      custom[`${stage}_exec`] === custom["run_exec"] && Array.isArray(args) && args.at(-1) === word
    ) continue;
    return broken(
      name,
      `its ${stage} stage does not call us`,
      `${stage}_exec and ${stage}_args as \`nspawn-runner toml\` has them`,
    );
  }
  // The driver gives up at its own time, with a reason; GitLab Runner's would come without one.
  const patience = custom["prepare_exec_timeout"];
  if (typeof patience === "number" && patience <= prepareTimeout) {
    return weak(
      name,
      `prepare_exec_timeout is ${patience} s`,
      `More than prepare_timeout, ${prepareTimeout} s, so that its job's log says why`,
    );
  }
  if (shell !== undefined && shell !== "bash" && shell !== "sh") {
    return weak(
      name,
      `shell = ${JSON.stringify(shell)}`,
      'shell = "bash", unless every image has that one',
    );
  }
  return ok(name, "all four stages call us");
}
