/** Calls a program of the custom executor's contract as GitLab Runner does. */

import { stageEnvironment } from "../src/gitlab/runner_job.ts";
import { runnerJob } from "../src/gitlab/simulation.ts";
import { denoHost } from "../src/host/deno_host.ts";
import { checkOutput, type Driver, type Job, type Kind, SCRIPT, VARIABLES } from "./driver.ts";
import { succeed } from "./measure.ts";

/**
 * Returns the driver of a program.
 *
 * @param argv Its command line, without the words of a stage.
 */
export function executor(
  label: string,
  kind: Kind | null,
  argv: readonly string[],
  image: string,
): Driver {
  return { label, kind, open: (id) => open(label, argv, image, id) };
}

async function open(
  label: string,
  argv: readonly string[],
  image: string,
  id: number,
): Promise<Job> {
  const folder = await Deno.makeTempDir({ prefix: "custom-executor" });
  const job = { id, image, script: "", variables: VARIABLES, services: [] };
  const env = await stageEnvironment(denoHost(), folder, runnerJob(job));
  let jobEnv: Record<string, string> = {};
  const call = (...words: string[]) =>
    succeed([...argv, ...words], { env: { ...env, ...jobEnv }, cwd: folder });
  return {
    config: async () => {
      const { ms, stdout } = await call("gitlab-config");
      jobEnv = JSON.parse(stdout || "{}").job_env ?? {};
      return ms;
    },
    prepare: async () => (await call("prepare")).ms,
    run: async (stage) => {
      const path = `${folder}/${stage}`;
      await Deno.writeTextFile(path, SCRIPT, { mode: 0o700 });
      const { ms, stdout } = await call("run", path, stage);
      checkOutput(label, stdout);
      return ms;
    },
    cleanup: async () => {
      try {
        return (await call("cleanup")).ms;
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  };
}
