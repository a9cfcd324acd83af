/** The section of GitLab Runner's config.toml that makes GitLab Runner call this program. */

import { tomlValue } from "../text/toml.ts";

/** The values of the section. */
export interface RunnerSection {
  /** This program's absolute path. */
  readonly executable: string;
  readonly name: string;
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** The image of jobs without `image:`; undefined for the one of nspawn-runner's own configuration. */
  readonly defaultImage: string | undefined;
}

/**
 * Seconds that GitLab Runner waits for a stage after SIGTERM, and then after SIGKILL. It ends 30 s after a SIGTERM
 * to itself, without cleanup: the sum must be less.
 */
const GRACEFUL_SECONDS = 15;
const FORCE_SECONDS = 5;
const SHORT_STAGE_SECONDS = 60;
/** As long as GitLab Runner waits by default: a large image may be pulled meanwhile. */
const PREPARE_SECONDS = 3600;

/** Returns the section as TOML, with comments that say what to fill in. */
export function runnerToml(section: RunnerSection): string {
  const url = section.url ?? "https://gitlab.example.com/";
  const token = section.token ?? "glrt-REPLACE-ME";
  const fillIn = [
    ...(section.url === undefined ? ["url"] : []),
    ...(section.token === undefined ? ["token"] : []),
  ];
  const lines = [
    "# Paste into /etc/gitlab-runner/config.toml. For a runner that is registered already, move the",
    "# lines from `executor` to the end into its own [[runners]] section instead.",
    ...(fillIn.length === 0 ? [] : [`# Fill in: ${fillIn.join(" and ")}.`]),
    "[[runners]]",
    `  name = ${tomlValue(section.name)}`,
    `  url = ${tomlValue(url)}`,
    `  token = ${tomlValue(token)}`,
    ...settingsOf(section),
  ];
  return lines.join("\n") + "\n";
}

/** Returns the template by which `gitlab-runner register` writes the section; it holds neither address nor token. */
export function runnerTemplate(section: RunnerSection): string {
  return ["[[runners]]", ...settingsOf(section)].join("\n") + "\n";
}

function settingsOf(section: Pick<RunnerSection, "executable" | "defaultImage">): string[] {
  const executable = tomlValue(section.executable);
  const image = section.defaultImage === undefined
    ? ""
    : `, "--default-image", ${tomlValue(section.defaultImage)}`;
  return [
    `  executor = "custom"`,
    `  shell = "bash"`,
    "  # As with the Docker executor: git does not refuse a checkout that another user owns, in a",
    "  # builds folder that is kept.",
    "  safe_directory_checkout = true",
    "  # As with the Docker executor: jobs may set GIT_CLONE_PATH, below /builds.",
    "  [runners.custom_build_dir]",
    "    enabled = true",
    "  [runners.custom]",
    `    config_exec = ${executable}`,
    `    config_args = ["gitlab-config"]`,
    `    config_exec_timeout = ${SHORT_STAGE_SECONDS}`,
    `    prepare_exec = ${executable}`,
    `    prepare_args = ["prepare"${image}]`,
    `    prepare_exec_timeout = ${PREPARE_SECONDS}`,
    `    run_exec = ${executable}`,
    `    run_args = ["run"]`,
    `    cleanup_exec = ${executable}`,
    `    cleanup_args = ["cleanup"]`,
    `    cleanup_exec_timeout = ${SHORT_STAGE_SECONDS}`,
    `    graceful_kill_timeout = ${GRACEFUL_SECONDS}`,
    `    force_kill_timeout = ${FORCE_SECONDS}`,
  ];
}
