import type { CommandRun } from "../app/command.ts";
import { refused } from "../failure.ts";
import { runnerToml } from "../gitlab/runner_toml.ts";
import type { Host } from "../host/host.ts";

/** Prints the section for GitLab Runner's config.toml. */
export const run: CommandRun = async (invocation, { host }) => {
  const [executable, ...more] = await host.self();
  if (more.length > 0) {
    throw refused(
      "Cannot print the section: this is no installed program",
      "Install it first: ./install.sh",
    );
  }
  host.terminal.out(runnerToml({
    executable,
    name: "nspawn-runner",
    url: invocation.options["url"],
    token: await token(host, invocation.options["token-file"]),
  }));
};

/** A token comes from a file: an argument would be seen by everybody on the host. */
async function token(host: Host, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = (await host.files.read(path))?.trim();
  if (text === undefined) throw refused(`Cannot read token file ${path}: no such file`);
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw refused(
      `Cannot use token file ${path}: it holds no token`,
      "Put the token alone into it",
    );
  }
  return text;
}
