/** A registry on the loopback interface, by docker-registry, with one image. */

import { succeed } from "./measure.ts";

/** A registry with an image. */
export interface Registry {
  /** The image's name. */
  readonly name: string;
  /** Pushes the image with another layer of 1 MB at the end. */
  changeLayer(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the first image in the folder $1, with the files of the tree $2; the others are options of umoci-config(1). */
const MAKE_IMAGE = `
cd "$1"
tar --create --file=layer.tar --directory="$2" --numeric-owner --xattrs .
umoci init --layout=image
umoci new --image=image:base
umoci raw add-layer --image=image:base layer.tar
rm layer.tar
shift 2
[ $# = 0 ] || umoci config --image=image:base --no-history "$@"
umoci tag --image=image:base changed
`;

/** Adds another layer to the first image in the folder $1. */
const CHANGE_LAYER = `
cd "$1"
rm -rf layer
mkdir layer
head -c 1000000 /dev/urandom >layer/random
tar --create --file=layer.tar --directory=layer .
umoci rm --image=image:changed
umoci raw add-layer --image=image:base --tag=changed layer.tar
`;

/**
 * Starts a registry with an image of a tree; its files are below the folder.
 *
 * @param config Options of umoci-config(1).
 */
export async function openRegistry(
  folder: string,
  tree: string,
  config: readonly string[] = [],
): Promise<Registry> {
  const address = `127.0.0.1:${freePort()}`;
  await Deno.writeTextFile(
    `${folder}/config.yml`,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: `${folder}/registry` } },
      http: { addr: address },
    }),
  );
  const server = new Deno.Command("docker-registry", {
    args: ["serve", `${folder}/config.yml`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const name = `${address}/bench/image:1`;
  const push = async () => {
    const to = ["--dest-tls-verify=false", `oci:${folder}/image:changed`, `docker://${name}`];
    await succeed(["skopeo", "copy", "--quiet", ...to]);
  };
  const close = async () => {
    server.kill("SIGKILL");
    await server.status;
  };
  try {
    await succeed(["sh", "-euc", MAKE_IMAGE, "sh", folder, await Deno.realPath(tree), ...config]);
    await push();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name,
    changeLayer: async () => {
      await succeed(["sh", "-euc", CHANGE_LAYER, "sh", folder]);
      await push();
    },
    close,
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
