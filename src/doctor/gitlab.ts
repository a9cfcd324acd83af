/** Checks of GitLab Runner and of its configuration. */

import type { Config } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import { findRunnerProgram } from "../gitlab/runner_program.ts";
import type { Host } from "../host/host.ts";
import { tablesOf } from "../machines/network/firewalls.ts";
import { inputObstacles } from "../machines/network/gitlab_on_host.ts";
import { loopbackObstacles } from "../machines/network/gitlab_on_loopback.ts";
import { broken, type Check, type Finding, ok, weak } from "./finding.ts";

const FILE = "/etc/gitlab-runner/config.toml";

/** Whether there is a gitlab-runner for the machines of jobs. */
export const gitlabRunner: Check = async (host, config) => {
  const topic = "gitlab-runner";
  const path = await findRunnerProgram(host, config.gitlab_runner).catch(() => null);
  if (path === null) {
    return weak(
      topic,
      "not found",
      "Install gitlab-runner, or set gitlab_runner: jobs with artifacts or a cache need it",
    );
  }
  const { code, stdout } = await host.processes.capture([path, "--version"]);
  const [, version] = stdout.match(/^Version:\s*(\S+)/m) ?? [];
  if (code !== 0) return broken(topic, `${path} does not run`, "Install it again");
  return ok(topic, `${path}${version === undefined ? "" : `, version ${version}`}`);
};

/** Whether GitLab Runner calls this program at every stage. */
export const runners: Check = async (host, config) => {
  const topic = "config.toml";
  const register = "nspawn-runner register --url URL --token-file FILE";
  const text = await host.files.read(FILE).catch(() => null);
  if (text === null) return weak(topic, `${FILE} does not exist`, `On a runner host: ${register}`);
  const { parse } = await import("../config/toml.ts");
  let sections: readonly Section[];
  try {
    sections = customRunners(parse(text)["runners"]);
  } catch (error) {
    return broken(topic, `${FILE}: ${messageOf(error).trim()}`, `Correct ${FILE}`);
  }
  const ours = sections.filter(({ custom }) => /(^|\/)nspawn-runner$/.test(`${custom?.run_exec}`));
  if (ours.length === 0) return weak(topic, "no runner calls nspawn-runner", register);
  return await Promise.all(ours.map(async (section) => {
    const name = `runner ${section.name ?? "without a name"}`;
    const executable = `${section.custom?.run_exec}`;
    const exists = await host.files.stat(executable) !== null;
    if (!exists) return broken(name, `${executable} does not exist`, MOVED);
    const finding = findingFrom(name, section, config.prepare_timeout);
    return finding.state === "ok"
      ? await accessFinding(host, config, name, section) ?? finding
      : finding;
  }));
};

/** A change between install.sh and a package moves the program. */
const MOVED = `Write the path that "command -v nspawn-runner" prints into ${FILE}`;

function customRunners(runners: unknown): Section[] {
  const all: readonly (Section | null)[] = Array.isArray(runners) ? runners : [];
  return all.filter((section) => section?.executor === "custom") as Section[];
}

/** Whether machines reach the runner's GitLab. */
async function accessFinding(
  host: Host,
  { network, network_range, extra_hosts }: Config,
  name: string,
  { url }: Section,
): Promise<Finding | undefined> {
  if (network === "host" || network === "none" || typeof url !== "string") return;
  const { stdout: chains } = await host.processes.capture(["nft", "list", "chains"])
    .catch(() => ({ stdout: "" })); // no nft
  const tables = tablesOf(host, chains);
  const access = { server: url, extra: extra_hosts, range: network_range, tables };
  const [obstacle] = [
    ...await loopbackObstacles(host, url, extra_hosts),
    ...await inputObstacles(host, access),
  ];
  if (obstacle === undefined) return;
  const { reason, fix, severity } = obstacle;
  const fallsBack = network === "auto" && severity === "serious";
  return weak(
    name,
    reason,
    fallsBack ? `${fix}. Jobs of this runner have the host's network` : fix,
  );
}

/** The keys of a `[[runners]]` section that are checked. */
interface Section {
  readonly name?: unknown;
  readonly url?: unknown;
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

function findingFrom(
  name: string,
  { shell, custom = {} }: Section,
  prepareTimeout: number,
): Finding {
  for (const [stage, command] of Object.entries(STAGES)) {
    const args = custom[`${stage}_args`];
    const isOurs = custom[`${stage}_exec`] === custom["run_exec"] && Array.isArray(args) &&
      args.at(-1) === command;
    if (isOurs) continue;
    return broken(
      name,
      `its ${stage} stage does not call nspawn-runner ${command}`,
      `Set ${stage}_exec and ${stage}_args as in the output of nspawn-runner toml`,
    );
  }
  // A timeout of prepare itself is explained in the job's log, one of GitLab Runner is not.
  const timeout = custom["prepare_exec_timeout"];
  if (typeof timeout === "number" && timeout <= prepareTimeout) {
    return weak(
      name,
      `prepare_exec_timeout is ${timeout} s`,
      `Set it to more than prepare_timeout, ${prepareTimeout} s, so that a job's log shows the reason`,
    );
  }
  if (shell !== undefined && shell !== "bash" && shell !== "sh") {
    return weak(
      name,
      `shell = ${JSON.stringify(shell)}`,
      'Set shell = "bash", unless every image has that shell',
    );
  }
  return ok(name, "all four stages call nspawn-runner");
}
