/** How programs run in a chroot that was made from an OCI image. */

/** The part of an image's configuration that matters here (OCI image specification, config.md). */
export interface ImageConfig {
  /** `NAME=VALUE`, each without line breaks. */
  readonly env: readonly string[];
  /** `USER`, `UID`, `USER:GROUP`; empty for root. */
  readonly user: string;
  readonly workingDir: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/**
 * Reads an image's configuration. What is missing or malformed is empty in the result.
 *
 * @param value `config` of application/vnd.oci.image.config.v1+json.
 */
export function parseImageConfig(value: unknown): ImageConfig {
  const { Env, User, WorkingDir, Entrypoint, Cmd } = (value ?? {}) as Record<string, unknown>;
  return {
    env: stringsOf(Env).filter((one) => /^[A-Za-z_][\w.-]*=[^\0\n]*$/.test(one)),
    user: typeof User === "string" ? User : "",
    workingDir: typeof WorkingDir === "string" ? WorkingDir : "",
    entrypoint: stringsOf(Entrypoint),
    cmd: stringsOf(Cmd),
  };
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
