/** Images in registries and in folders, by skopeo(1) and umoci(1). */

import { isDigest } from "../../config/image_reference.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram, runTool, toolEnvironment } from "../../linux/tool.ts";
import { type ImageConfig, parseImageConfig } from "../../images/store/image_config.ts";

/** The tag of the one image in a folder. */
const TAG = "image";

/** Variables that name credentials and certificates: containers-auth.json(5). */
const VARIABLES = [
  "REGISTRY_AUTH_FILE",
  "XDG_RUNTIME_DIR",
  "XDG_CONFIG_HOME",
  "DOCKER_CONFIG",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/** Refuses images where skopeo or umoci is missing. */
export async function requireImageTools(host: Host): Promise<void> {
  for (const program of ["skopeo", "umoci"]) await requireProgram(host, program);
}

/**
 * Reads the digest of an image: of its manifest, or of its list of manifests for several
 * architectures.
 *
 * @param image In the notation of containers-transports(5): `docker://…` or `oci:PATH:TAG`.
 * @returns `sha256:…`
 * @throws {Failure} of the host where it cannot be read.
 */
export async function digestOf(
  host: Host,
  image: string,
  interrupt: AbortSignal,
): Promise<string> {
  const words = ["--no-tags", "--format", "{{.Digest}}"];
  const digest = (await inspect(host, image, words, interrupt)).trim();
  if (isDigest(digest)) return digest;
  throw hostFailure(`Cannot read image ${image}: it has no digest`);
}

async function inspect(
  host: Host,
  image: string,
  words: readonly string[],
  interrupt: AbortSignal,
): Promise<string> {
  const { code, stdout, stderr } = await host.processes.capture(
    ["skopeo", "--command-timeout=2m", "inspect", ...words, image],
    { env: toolEnvironment(host, variables(host)), signal: interrupt },
  );
  if (code === 0) return stdout;
  throw hostFailure(`Cannot read image ${image}: ${reasonIn(stderr)}`, HINT);
}

const HINT =
  "Check the name. If the registry requires it, log in: skopeo login --authfile /root/.config/containers/auth.json REGISTRY";

/** Returns the reason of a failure, which skopeo prints as a line of a log. */
function reasonIn(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  return line.match(/ msg="(.*)"$/)?.[1]?.replaceAll('\\"', '"') ?? line;
}

function variables(host: Host): Record<string, string> {
  const set = VARIABLES.map((name) => [name, host.env(name)] as const);
  return Object.fromEntries(set.filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

/**
 * Copies an image. skopeo checks every part of it against its digest.
 *
 * @param from The image in the notation of containers-transports(5).
 * @param to The target in the same notation.
 * @param scratch A folder for temporary files.
 * @param options Of skopeo-copy(1).
 */
export async function copyImage(
  host: Host,
  from: string,
  to: string,
  scratch: string,
  interrupt: AbortSignal,
  options: readonly string[] = [],
): Promise<void> {
  const argv = ["skopeo", "copy", "--remove-signatures", ...options, from, to] as const;
  await runTool(host, argv, { ...variables(host), TMPDIR: scratch }, interrupt);
}

/** Returns skopeo's name of the one image in a folder. */
export function layoutImage(folder: string): string {
  return `oci:${folder}:${TAG}`;
}

/**
 * Unpacks the image in a folder into an empty tree.
 *
 * @returns How programs run in it.
 */
export async function unpackImage(
  host: Host,
  folder: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<ImageConfig> {
  const image = `--image=${folder}:${TAG}`;
  await runTool(host, ["umoci", "raw", "unpack", image, tree], {}, interrupt);
  const { config } = JSON.parse(await inspect(host, layoutImage(folder), ["--config"], interrupt));
  return parseImageConfig(config);
}

/** The parts of a new image. */
export interface ImageParts {
  /** The path of a tar file with all files of the image. */
  readonly layer: string;
  /** How programs run in it. */
  readonly config: ImageConfig;
  /** When it was made, as ISO 8601: the same parts give the same digest at any time. */
  readonly made: string;
}

/** Makes an image of one layer in a folder that does not exist yet. */
export async function packImage(
  host: Host,
  folder: string,
  { layer, config, made }: ImageParts,
  interrupt: AbortSignal,
): Promise<void> {
  const umoci = (...words: [string, ...string[]]) =>
    runTool(host, ["umoci", ...words], {}, interrupt);
  const image = `--image=${folder}:${TAG}`;
  await umoci("init", `--layout=${folder}`);
  await umoci("new", image);
  await umoci("raw", "add-layer", image, "--no-history", layer);
  await umoci("config", image, "--no-history", `--created=${made}`, ...configOptions(config));
}

/** See umoci-config(1). */
function configOptions({ env, user, workingDir, entrypoint, cmd }: ImageConfig): string[] {
  return [
    ...env.map((one) => `--config.env=${one}`),
    ...(user === "" ? [] : [`--config.user=${user}`]),
    ...(workingDir === "" ? [] : [`--config.workingdir=${workingDir}`]),
    ...entrypoint.map((one) => `--config.entrypoint=${one}`),
    ...cmd.map((one) => `--config.cmd=${one}`),
  ];
}
