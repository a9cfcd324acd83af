/** Images that tests make and push to a registry. */

import { must } from "./command.ts";
import type { Registry } from "./registry.ts";
import { busyboxRoot, cached, hash } from "./roots.ts";

/** An image of a static busybox, and what tests add to it. */
export interface ImageSpec {
  /** Path of a root that is the first layer in place of busybox. */
  readonly root?: string;
  /**
   * Scripts of sh, each run in an empty folder of this computer: what it writes there is a layer over those before; a file
   * `.layer.tar` is the layer itself. By default there is busybox alone.
   */
  readonly layers?: readonly string[];
  /** Options of umoci-config(1), such as `--config.user=1000`. */
  readonly config?: readonly string[];
  /** Options of skopeo-copy(1). */
  readonly push?: readonly string[];
  /** The test of its health, which umoci-config(1) cannot set: `CMD` or `CMD-SHELL`, and the words. */
  readonly healthcheck?: readonly string[];
  /** Whether there is no busybox below the layers. */
  readonly isEmpty?: boolean;
}

/** Arguments: a new folder, the root of busybox or nothing, the number of options, options of umoci-config(1), scripts. */
const MAKE_IMAGE = `
folder=$1 busybox=$2 options=$3
shift 3
cd "$folder"
umoci init --layout=image
umoci new --image=image:x
add_layer() {
  # The same files are the same layer each time.
  tar --create --file=layer.tar --directory="$1" --sort=name --mtime=@0 --numeric-owner --xattrs --xattrs-include='*' \\
    --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime .
  umoci raw add-layer --image=image:x layer.tar
  rm -rf layer.tar
}
[ -z "$busybox" ] || add_layer "$busybox"
# All at once: of several words of a command, umoci takes those of one call.
[ "$options" = 0 ] || umoci config --image=image:x --no-history "\${@:1:options}"
shift "$options"
for script in "$@"; do
  mkdir layer
  (cd layer && sh -euc "$script")
  if [ -e layer/.layer.tar ]; then
    umoci raw add-layer --image=image:x layer/.layer.tar
  else
    add_layer layer
  fi
  rm -rf layer
done
`;

/**
 * Makes an image and pushes it to a registry.
 *
 * @param name `REPOSITORY:TAG`
 * @returns The digest of its manifest.
 */
export async function pushImage(
  registry: Registry,
  name: string,
  spec: ImageSpec = {},
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "nr-image-" });
  try {
    await makeImage(folder, spec);
    return await push(registry, name, folder, spec.push);
  } finally {
    await must(["rm", "-rf", folder]);
  }
}

/** Pushes an image that is made once and then kept beside its root; its layers must not depend on anything else. */
export async function pushKeptImage(
  registry: Registry,
  name: string,
  spec: ImageSpec,
): Promise<string> {
  const root = spec.root ?? await busyboxRoot();
  const path = `${root}-image-${await hash(JSON.stringify([spec, MAKE_IMAGE]))}`;
  return await push(
    registry,
    name,
    await cached(path, (aside) => makeImage(aside, { ...spec, root })),
  );
}

async function makeImage(
  folder: string,
  { root, layers = [], config = [], healthcheck, isEmpty = false }: ImageSpec,
): Promise<void> {
  const first = isEmpty ? "" : root ?? await busyboxRoot();
  const words = [folder, first, `${config.length}`, ...config, ...layers];
  await must(["bash", "-euc", MAKE_IMAGE, "bash", ...words], { timeout: 300_000 });
  if (healthcheck !== undefined) await setHealthcheck(`${folder}/image`, healthcheck);
}

/** Pushes the image in a folder; returns the digest of its manifest. */
async function push(
  { local, auth }: Registry,
  name: string,
  folder: string,
  options: readonly string[] = [],
): Promise<string> {
  const digest = await Deno.makeTempFile({ prefix: "nr-digest-" });
  try {
    const words = ["--quiet", `--dest-authfile=${auth}`, "--dest-tls-verify=false", ...options];
    const from = `oci:${folder}/image:x`;
    const to = `docker://${local}/${name}`;
    await must(["skopeo", "copy", ...words, `--digestfile=${digest}`, from, to], {
      timeout: 300_000,
    });
    return (await Deno.readTextFile(digest)).trim();
  } finally {
    await Deno.remove(digest);
  }
}

/** Adds a health check to the only image of a layout, as Docker writes it. */
async function setHealthcheck(layout: string, test: readonly string[]): Promise<void> {
  const blob = (digest: string) => `${layout}/blobs/${digest.replace(":", "/")}`;
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));
  const write = async (value: unknown) => {
    const data = new TextEncoder().encode(JSON.stringify(value));
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    const digest = `sha256:${bytes.toHex()}`;
    await Deno.writeFile(blob(digest), data);
    return { digest, size: data.length };
  };
  const index = await read(`${layout}/index.json`);
  const manifest = await read(blob(index.manifests[0].digest));
  const image = await read(blob(manifest.config.digest));
  image.config.Healthcheck = { Test: test };
  Object.assign(manifest.config, await write(image));
  Object.assign(index.manifests[0], await write(manifest));
  await Deno.writeTextFile(`${layout}/index.json`, JSON.stringify(index));
}
