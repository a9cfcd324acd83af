import type { CommandRun } from "../app/command.ts";
import { runnerSection } from "../app/runner_section.ts";
import { hostFailure, refused, usageError } from "../failure.ts";
import { findRunnerProgram } from "../gitlab/runner_program.ts";
import { runnerTemplate } from "../gitlab/runner_toml.ts";
import type { Argv, Host } from "../host/host.ts";

/** Lets GitLab Runner register a runner with this executor, and write its own configuration. */
export const run: CommandRun = async (invocation, context) => {
  const { host } = context;
  const { url, "token-file": tokenFile } = invocation.options;
  if (url === undefined) throw missing("--url", "URL");
  if (tokenFile === undefined) throw missing("--token-file", "FILE");
  const section = await runnerSection(invocation, context);
  const { code, stdout, stderr } = await host.processes.capture(
    await registration(host, url),
    // All users can see command lines. Variables of the caller may name a proxy, or certificates.
    {
      env: { ...host.environment(), CI_SERVER_TOKEN: section.token ?? "" },
      stdin: runnerTemplate(section),
    },
  );
  host.terminal.err(stdout + stderr);
  if (code !== 0) {
    throw hostFailure(
      `Cannot register the runner: gitlab-runner register ended with ${code}`,
      "Its messages above say why",
    );
  }
  host.log.info("Check the host: nspawn-runner doctor");
};

function missing(option: string, value: string): Error {
  return usageError(`Cannot register a runner: ${option} is missing`, `Write ${option}=${value}`);
}

/** Returns the command. Of a template, gitlab-runner takes neither address nor executor: commands/register.go. */
async function registration(host: Host, url: string): Promise<Argv> {
  const program = await findRunnerProgram(host, undefined);
  if (program === null) {
    throw refused(
      "Cannot register a runner: gitlab-runner is not installed",
      "Install GitLab Runner: https://docs.gitlab.com/runner/install/",
    );
  }
  const options = ["--non-interactive", "--url", url, "--executor", "custom"];
  return [program, "register", ...options, "--template-config", "/dev/stdin"];
}
