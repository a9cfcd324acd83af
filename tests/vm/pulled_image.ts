/** A pulled image in the virtual machine, which has neither skopeo nor a registry. */

import { IMAGE_FACTS_SCRIPT } from "../../src/images/store/facts.ts";
import { parsePulledConfig } from "../../src/images/store/image_config.ts";
import {
  factsPath,
  imageId,
  imagePaths,
  namePath,
  recordPath,
} from "../../src/images/store/paths.ts";
import type { ImageRecord } from "../../src/images/store/record.ts";
import { CHROOT } from "../hosts/site.ts";
import type { VmSite } from "./site.ts";

const STORE = "/var/lib/nspawn-runner";
const CONFIG = "/etc/nspawn-runner/config.toml";
const NAME = "registry.example/ci/x:1";
const DIGEST = `sha256:${"1".repeat(64)}`;
const LAYERS = ["l/TOP", "l/BASE"];

/** Copies by hard links, since emulation is slow. Arguments: the store, the chroot's name, the folder of the layers. */
const MAKE_TREES = `
cd "$1"
cp --archive --link "$2" helper
rm -f helper/etc/resolv.conf
touch helper/etc/resolv.conf helper/etc/hosts
mkdir -p helper/builds helper/cache
cp --remove-destination /usr/bin/busybox helper/usr/bin/busybox
mkdir -p "$3/l" "$3/base" "$3/top/diff" .images/facts view
chmod 700 .images
cp --archive --link "$2" "$3/base/diff"
ln -s ../base/diff "$3/l/BASE"
ln -s ../top/diff "$3/l/TOP"
`;

/**
 * Runs a test with an image that is stored as a pull leaves it: the chroot's tree and an empty layer. Its checkout would run
 * in a chroot `helper`.
 *
 * @param settings Lines of config.toml.
 */
export async function withPulledImage(
  site: VmSite,
  settings: string,
  body: (image: string) => Promise<void>,
): Promise<void> {
  const { vm, host } = site;
  const id = imageId(DIGEST, null);
  const folder = `${imagePaths(STORE).storage}/overlay`;
  const run = async (...argv: string[]) => {
    const done = await vm.exec(argv);
    if (done.code !== 0) throw new Error(done.stderr);
  };
  try {
    await run("sh", "-euc", MAKE_TREES, "sh", STORE, CHROOT, folder);
    const words = [folder, LAYERS.join(":"), `${STORE}/view`, factsPath(STORE, id), ""];
    await run("unshare", "--mount", "--", "sh", "-c", IMAGE_FACTS_SCRIPT, "sh", ...words);
    await vm.push(JSON.stringify(RECORD), recordPath(STORE, id));
    const named = { name: NAME, platform: null, id };
    await vm.push(JSON.stringify(named), await namePath(STORE, NAME, null));
    await vm.push(`pull = ["registry.example/**"]\npull_policy = ["never"]\n${settings}`, CONFIG);
    await body(NAME);
  } finally {
    await host(`cd ${STORE}; rm -rf helper .images view ${CONFIG}`);
  }
}

const RECORD: ImageRecord = {
  version: 1,
  digest: DIGEST,
  asked: null,
  platform: "linux/amd64",
  library: "1".repeat(64),
  layers: LAYERS.map((path) => ({ path, size: 1 })),
  config: parsePulledConfig({}),
  size: 1,
  pulled: "2029-01-01T00:00:00.000Z",
};
