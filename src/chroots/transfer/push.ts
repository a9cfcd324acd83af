/** Pushes a chroot to a registry, from which other hosts pull it. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { isPushTarget } from "../../config/image_reference.ts";
import { hostFailure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import { packTar } from "../../linux/tree.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentTree } from "../find/lookup.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import type { ChrootContext } from "../generations/context.ts";
import { whileChrootLocked } from "../generations/lock.ts";
import { hostArchitecture } from "../../images/request/platform.ts";
import { type ImageConfig, parseImageConfig } from "../../images/store/image_config.ts";
import { blobPath, layoutImage, writeLayout } from "../../images/store/layout.ts";
import { currentRecord } from "../generations/record.ts";

/**
 * Pushes the current generation of a chroot to a registry, as an image of one layer.
 *
 * @param target `REGISTRY/REPOSITORY:TAG`
 * @returns The image's digest. It depends on the generation alone, not on when it is pushed.
 * @throws {Failure} where the target is no such name, or the registry does not accept the image.
 */
export async function pushChroot(
  context: ChrootContext,
  { name }: Chroot,
  target: string,
): Promise<string> {
  if (!isPushTarget(target)) {
    throw refused(
      `Cannot push to ${JSON.stringify(target)}: it is not an image of a registry`,
      "Write REGISTRY/REPOSITORY:TAG, like registry.example.com/ci/bookworm:latest",
    );
  }
  await requireProgram(context.host, "skopeo");
  return await whileChrootLocked(context, name, () => pushLocked(context, name, target));
}

async function pushLocked(
  { host, config: { store }, interrupt }: ChrootContext,
  name: ChrootName,
  target: string,
): Promise<string> {
  await using build = await openBuildFolder(host, store, name);
  const { scratch } = build;
  const folder = join(scratch, "image");
  const layer = join(scratch, "layer.tar");
  const { path: tree } = await currentTree(host, store, name);
  host.log.info(`Packing ${tree}`);
  await packTar(host, tree, layer, interrupt);
  const { made = EPOCH, image } = await currentRecord(host, store, name) ?? {};
  const config = {
    created: made,
    architecture: await hostArchitecture(host),
    os: "linux",
    config: configOf(image ?? parseImageConfig(null)),
  };
  await packImage(host, folder, config, layer, interrupt);
  host.log.info(`Pushing to ${target}`);
  const digest = join(scratch, "digest");
  const words = ["--remove-signatures", `--digestfile=${digest}`, layoutImage(folder)];
  const argv = ["skopeo", "copy", ...words, `docker://${target}`] as const;
  await runTool(host, argv, { ...variables(host), TMPDIR: scratch }, interrupt);
  return (await host.files.read(digest))?.trim() ?? "";
}

/** Makes an image of one layer in a folder that does not exist yet. */
async function packImage(
  host: Host,
  folder: string,
  config: Readonly<Record<string, unknown>>,
  layer: string,
  interrupt: AbortSignal,
): Promise<void> {
  const argv = ["sha256sum", layer] as const;
  const { code, stdout } = await host.processes.capture(argv, { signal: interrupt });
  if (code !== 0) throw hostFailure(`Cannot read ${layer}: sha256sum ended with ${code}`);
  const digest = `sha256:${stdout.split(" ")[0]}`;
  const size = (await host.files.stat(layer))?.size ?? 0;
  await writeLayout(host, folder, config, [{ digest, size }]);
  await host.files.rename(layer, blobPath(folder, digest));
}

/** Returns how programs run in an image, as its configuration tells it. */
function configOf({ env, user, workingDir, entrypoint, cmd }: ImageConfig) {
  const all = { Env: env, User: user, WorkingDir: workingDir, Entrypoint: entrypoint, Cmd: cmd };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value.length > 0));
}

/** Variables that name credentials and certificates: containers-auth.json(5). */
const VARIABLES = [
  "REGISTRY_AUTH_FILE",
  "XDG_RUNTIME_DIR",
  "XDG_CONFIG_HOME",
  "DOCKER_CONFIG",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

function variables(host: Host): Record<string, string> {
  return Object.fromEntries(VARIABLES.flatMap((name) => {
    const value = host.env(name);
    return value === undefined ? [] : [[name, value] as const];
  }));
}

/** The image's date where the tree's is unknown: any fixed date gives the same digest each time. */
const EPOCH = "1970-01-01T00:00:00.000Z";
