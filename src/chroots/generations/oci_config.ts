/** How programs run in a chroot, as the image says that it was made from. */

/** In the words of the OCI image specification, config.md. */
export interface ImageConfig {
  /** `NAME=VALUE`, each on one line. */
  readonly env: readonly string[];
  /** `USER`, `UID`, `USER:GROUP`; empty for root. */
  readonly user: string;
  readonly workingDir: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/**
 * The part of an image's configuration that says how programs run.
 *
 * @param value The configuration, `config` of application/vnd.oci.image.config.v1+json.
 * @returns What it says, and nothing where it is silent.
 */
export function parseImageConfig(value: unknown): ImageConfig {
  const { Env, User, WorkingDir, Entrypoint, Cmd } = (value ?? {}) as Record<string, unknown>;
  return {
    env: textsOf(Env).filter((one) => /^[A-Za-z_][\w.-]*=[^\0\n]*$/.test(one)),
    user: typeof User === "string" ? User : "",
    workingDir: typeof WorkingDir === "string" ? WorkingDir : "",
    entrypoint: textsOf(Entrypoint),
    cmd: textsOf(Cmd),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
