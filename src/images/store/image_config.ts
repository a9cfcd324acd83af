/** How programs run in an OCI image, or in a chroot that was made from one. */

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

/** The configuration of a pulled image, with what matters where it runs as a service. */
export interface PulledImageConfig extends ImageConfig {
  /** The ports on which it listens, each as `PORT/PROTOCOL`. */
  readonly ports: readonly string[];
  /** The folders whose files outlive a container. */
  readonly volumes: readonly string[];
  /** The test of its health: `CMD` or `CMD-SHELL`, and the words; empty for none. */
  readonly healthcheck: readonly string[];
}

/** Reads the configuration of a pulled image, as {@linkcode parseImageConfig} does. */
export function parsePulledConfig(value: unknown): PulledImageConfig {
  const { ExposedPorts, Volumes, Healthcheck } = (value ?? {}) as Record<string, unknown>;
  const { Test } = (Healthcheck ?? {}) as Record<string, unknown>;
  return {
    ...parseImageConfig(value),
    ports: Object.keys(ExposedPorts ?? {}),
    volumes: Object.keys(Volumes ?? {}),
    healthcheck: stringsOf(Test),
  };
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
