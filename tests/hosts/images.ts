/** Images that tests make and push to a registry. */

import { must } from "./command.ts";
import type { Registry } from "./registry.ts";
import { busyboxRoot } from "./roots.ts";

/** An image of a static busybox, and what tests add to it. */
export interface ImageSpec {
  /**
   * Scripts of sh, each run in an empty folder of this computer: what it writes there is a layer over those before; a file
   * `.layer.tar` is the layer itself. By default there is busybox alone.
   */
  readonly layers?: readonly string[];
  /** Options of umoci-config(1), such as `--config.user=1000`. */
  readonly config?: readonly string[];
  /** Options of skopeo-copy(1). */
  readonly push?: readonly string[];
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
while [ "$options" -gt 0 ]; do
  umoci config --image=image:x --no-history "$1"
  shift
  options=$((options - 1))
done
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
  { local, auth }: Registry,
  name: string,
  { layers = [], config = [], push = [], isEmpty = false }: ImageSpec = {},
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "nr-image-" });
  try {
    const busybox = isEmpty ? "" : await busyboxRoot();
    const words = [folder, busybox, `${config.length}`, ...config, ...layers];
    await must(["sh", "-euc", MAKE_IMAGE, "sh", ...words], { timeout: 300_000 });
    const login = ["--quiet", `--dest-authfile=${auth}`, "--dest-tls-verify=false", ...push];
    const digest = `--digestfile=${folder}/digest`;
    await must(
      ["skopeo", "copy", ...login, digest, `oci:${folder}/image:x`, `docker://${local}/${name}`],
      { timeout: 300_000 },
    );
    return (await Deno.readTextFile(`${folder}/digest`)).trim();
  } finally {
    await must(["rm", "-rf", folder]);
  }
}
