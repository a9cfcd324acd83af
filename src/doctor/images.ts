/** Checks of pulled images: what pulls them, what they take on the disk, and whether a registry answers. */

import { findDefinition } from "../chroots/definition/find_definition.ts";
import type { ChrootName } from "../config/chroot_name.ts";
import type { Config } from "../config/settings.ts";
import { Failure } from "../failure.ts";
import { installHint } from "../host/packages.ts";
import type { Host } from "../host/host.ts";
import { requestImage } from "../images/request/image_request.ts";
import { pullHint } from "../images/request/permission.ts";
import { digestOf } from "../images/store/digest.ts";
import { listImages } from "../images/store/record.ts";
import { totalSize } from "../images/store/retention.ts";
import { hasProgram } from "../linux/tool.ts";
import { formatSize } from "../text/size.ts";
import { broken, type Check, type Finding, ok, weak } from "./finding.ts";

/** What skopeo reads before it pulls: containers-policy.json(5). */
const POLICY = "/etc/containers/policy.json";

/** Whether images can be pulled, where the configuration allows any. */
export const imageTools: Check = async (host, { pull }) => {
  const topic = "image pulls";
  if (pull.length === 0) return [];
  if (!await hasProgram(host, "skopeo")) {
    const osRelease = await host.files.read("/etc/os-release") ?? "";
    return broken(topic, "skopeo is not installed", installHint("skopeo", osRelease) ?? "");
  }
  if (await host.files.stat(POLICY) === null) {
    return broken(
      topic,
      `${POLICY} is missing`,
      "Install the package that has it: containers-common, on Debian golang-github-containers-common",
    );
  }
  const { stdout } = await host.processes.capture(["skopeo", "--version"]);
  return ok(topic, stdout.trim());
};

/** Whether the chroot is there in which checkouts run, where the configuration allows images of registries. */
export const helperRoot: Check = async (host, config, chroots) => {
  const topic = "helper root";
  const name = config.helper as ChrootName;
  if (config.pull.length === 0) return [];
  if (chroots.some((one) => one.name === name && one.state === "ready")) return ok(topic, name);
  const fix = `nspawn-runner chroot-create ${name}`;
  return await findDefinition(host, config, name).catch(() => null) === null
    ? broken(topic, `no chroot ${name}, and no definition of it`, `Define it, then: ${fix}`)
    : weak(topic, `no chroot ${name}: the first job on an image makes it`, fix);
};

/** What pulled images take. */
export const images: Check = async (host, { store, images_max_size }) => {
  const topic = "pulled images";
  const all = await listImages(host, store);
  if (all.length === 0) return [];
  const total = await totalSize(host, store, all);
  const found = `${formatSize(total)} in ${all.length}`;
  if (total <= images_max_size) return ok(topic, found);
  return weak(
    topic,
    `${found}: more than ${formatSize(images_max_size)}`,
    "Remove those that no machine uses: nspawn-runner gc",
  );
};

/** Asks the registry of an image for it, with root's credentials. */
export async function checkImage(host: Host, config: Config, image: string): Promise<Finding> {
  const topic = `image ${image}`;
  try {
    const request = await requestImage(host, config, null, image);
    if (request === null) {
      return broken(topic, "no pattern of pull allows it", pullHint(config, image));
    }
    const began = host.clock.monotonic();
    const digest = await digestOf(host, request, new AbortController().signal);
    const milliseconds = Math.round(host.clock.monotonic() - began);
    const whose = request.credentials === null ? "no credentials" : request.credentials.source;
    return ok(topic, `${digest}, asked in ${milliseconds} ms with ${whose}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return broken(topic, error.message, error.hint ?? "");
  }
}
