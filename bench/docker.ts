/**
 * Runs jobs as GitLab Runner's docker executor does, with `volumes = ["/cache"]` as `gitlab-runner register` writes it:
 * the same containers and volumes in the same order, by docker(1).
 *
 * @module
 */

import {
  checkOutput,
  type Driver,
  type Job,
  SCRIPT,
  type Stage,
  STAGES,
  VARIABLES,
} from "./driver.ts";
import { succeed } from "./measure.ts";

/** Calls of docker(1) in a job: prepare, two for each stage, cleanup. */
const CALLS = 10 + 2 * STAGES.length + 2;

/** The image, and the volume that lasts. */
const NAME = "nspawn-runner-bench";

/** The driver, and what removes its image. */
export interface Docker {
  readonly driver: Driver;
  close(): Promise<void>;
}

/**
 * Imports a chroot as the image of both kinds of containers, those for scripts and those for GitLab Runner's helper.
 *
 * @throws {Error} where no engine answers.
 */
export async function openDocker(chroot: string): Promise<Docker> {
  await docker(["info"]).catch((error) => {
    throw new Error(`Cannot compare with Docker: ${error.message}`);
  });
  const script = 'tar -C "$1" -c . | docker import - "$2"';
  await succeed(["sh", "-euc", script, "sh", chroot, NAME]);
  return {
    driver: {
      label: "docker",
      kind: null,
      client: { argv: ["docker", "--version"], calls: CALLS },
      open: (id) => Promise.resolve(jobOf(`${NAME}-${id}`)),
    },
    close: async () => {
      await docker(["volume", "rm", "--force", NAME]);
      await docker(["image", "rm", "--force", NAME]);
    },
  };
}

/** @param name The name of its own volume, and the beginning of its containers' names. */
function jobOf(name: string): Job {
  const volumes = [`--volume=${name}:/builds`, `--volume=${NAME}:/cache`];
  const variables = Object.entries(VARIABLES).map(([key, value]) => `--env=${key}=${value}`);
  const containers: string[] = [];
  const create = async (use: string, ...more: string[]) => {
    containers.push(`${name}-${use}`);
    return (await docker(["create", `--name=${name}-${use}`, ...volumes, ...more])).ms;
  };
  return {
    prepare: async () => {
      let ms = (await docker(["image", "inspect", NAME])).ms; // of the script
      ms += (await docker(["image", "inspect", NAME])).ms; // of the helper
      for (const [volume, path] of [[name, "/builds"], [NAME, "/cache"]] as const) {
        ms += (await docker(["volume", "create", volume])).ms;
        const use = `permissions${path.replace("/", "-")}`;
        ms += await create(use, NAME, "chmod", "777", path);
        ms += (await docker(["start", "--attach", `${name}-${use}`])).ms;
        ms += (await docker(["rm", "--force", `${name}-${use}`])).ms;
        containers.pop();
      }
      return ms;
    },
    run: async (stage: Stage) => {
      const created = await create(stage, "--interactive", ...variables, NAME, "bash");
      const argv = ["start", "--attach", "--interactive", `${name}-${stage}`];
      const { ms, stdout } = await docker(argv, SCRIPT);
      checkOutput("docker", stdout);
      return created + ms;
    },
    cleanup: async () => {
      const removed = await docker(["rm", "--force", "--volumes", ...containers]);
      return removed.ms + (await docker(["volume", "rm", "--force", name])).ms;
    },
  };
}

function docker(words: readonly string[], stdin?: string) {
  return succeed(["docker", ...words], stdin === undefined ? {} : { stdin });
}
