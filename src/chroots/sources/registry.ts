/** Images in registries and in folders, by skopeo(1) and umoci(1). */

import { isDigest } from "../../config/image_reference.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { type ImageConfig, parseImageConfig } from "../generations/oci_config.ts";
import { requireProgram, runTool, toolEnvironment } from "../../linux/tool.ts";

/** What a folder of ours calls its one image. */
const TAG = "image";

/** Where credentials are, and what vouches for registries: containers-auth.json(5). */
const VARIABLES = [
  "REGISTRY_AUTH_FILE",
  "XDG_RUNTIME_DIR",
  "XDG_CONFIG_HOME",
  "DOCKER_CONFIG",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/**
 * Refuses where the programs are missing that images need.
 *
 * @param host The outside.
 * @throws {Failure} that names the package.
 */
export async function requireImageTools(host: Host): Promise<void> {
  for (const program of ["skopeo", "umoci"]) await requireProgram(host, program);
}

/**
 * The digest of an image: of its manifest, or of the list of those for several kinds of machines.
 *
 * @param host The outside.
 * @param image In the words of containers-transports(5): `docker://…` or `oci:PATH:TAG`.
 * @param interrupt Gives up when aborted.
 * @returns `sha256:…`
 * @throws {Failure} of the host where it cannot be had.
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
  "Is the registry up, and the name right? Log in where it asks for that: skopeo login --authfile /root/.config/containers/auth.json REGISTRY";

/** Skopeo says a reason in a line of a log. */
function reasonIn(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  return line.match(/ msg="(.*)"$/)?.[1]?.replaceAll('\\"', '"') ?? line;
}

function variables(host: Host): Record<string, string> {
  const said = VARIABLES.map((name) => [name, host.env(name)] as const);
  return Object.fromEntries(said.filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

/**
 * Copies an image; every part of it is checked against its digest.
 *
 * @param host The outside.
 * @param from Which, in the words of containers-transports(5).
 * @param to Where, in the same words.
 * @param scratch A folder for temporary files.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} of the host where that fails.
 */
export async function copyImage(
  host: Host,
  from: string,
  to: string,
  scratch: string,
  interrupt: AbortSignal,
): Promise<void> {
  const argv = ["skopeo", "copy", "--remove-signatures", from, to] as const;
  await runTool(host, argv, { ...variables(host), TMPDIR: scratch }, interrupt);
}

/**
 * An image in a folder of ours.
 *
 * @param folder The folder.
 * @returns What skopeo calls it.
 */
export function layoutImage(folder: string): string {
  return `oci:${folder}:${TAG}`;
}

/**
 * Fills an empty tree with the files of an image in a folder of ours.
 *
 * @param host The outside.
 * @param folder The folder.
 * @param tree The tree.
 * @param interrupt Gives up when aborted.
 * @returns How programs run in it.
 * @throws {Failure} of the host where that fails.
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

/** What an image is made of. */
export interface ImageParts {
  /** A tar file of all that is in it. */
  readonly layer: string;
  /** How programs run in it. */
  readonly config: ImageConfig;
  /** When it was made, as ISO 8601: the same parts make the same digest, whenever. */
  readonly made: string;
}

/**
 * Makes an image of one layer in a folder.
 *
 * @param host The outside.
 * @param folder The folder, which is not there yet.
 * @param parts What it is made of.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} of the host where that fails.
 */
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

/** umoci-config(1) */
function configOptions({ env, user, workingDir, entrypoint, cmd }: ImageConfig): string[] {
  return [
    ...env.map((one) => `--config.env=${one}`),
    ...(user === "" ? [] : [`--config.user=${user}`]),
    ...(workingDir === "" ? [] : [`--config.workingdir=${workingDir}`]),
    ...entrypoint.map((one) => `--config.entrypoint=${one}`),
    ...cmd.map((one) => `--config.cmd=${one}`),
  ];
}
