/** The platform of an image, `linux/arm64`, and whether this host can run its programs. */

import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";

/** Other names of architectures: platforms.normalizeArch() of containerd. */
const SYNONYMS: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  i386: "386",
  i686: "386",
  aarch64: "arm64",
  armhf: "arm/v7",
  armv7l: "arm/v7",
  armel: "arm/v6",
  armv6l: "arm/v6",
};

/** The architectures of the interpreters that Debian's qemu-user-binfmt registers, by their names in OCI. */
const INTERPRETERS: Readonly<Record<string, string>> = {
  amd64: "qemu-x86_64",
  "386": "qemu-i386",
  arm64: "qemu-aarch64",
  arm: "qemu-arm",
  ppc64le: "qemu-ppc64le",
  s390x: "qemu-s390x",
  riscv64: "qemu-riscv64",
  mips64le: "qemu-mips64el",
  loong64: "qemu-loongarch64",
};

/**
 * Returns the platform that a job asks for; null where it is the host's own.
 *
 * @param asked `OS/ARCHITECTURE[/VARIANT]`, or an architecture alone.
 * @throws {Failure} where this host cannot run its programs.
 */
export async function checkPlatform(host: Host, asked: string): Promise<string | null> {
  const [os = "", architecture = "", variant] = platformOf(asked).split("/");
  const own = await hostArchitecture(host);
  if (os !== "linux" || !/^[a-z0-9]+$/.test(architecture) || !/^(?:v\d+)?$/.test(variant ?? "")) {
    throw notRunnable(asked, own, "it is not of the form linux/ARCHITECTURE");
  }
  const platform = ["linux", architecture, ...(variant === undefined ? [] : [variant])].join("/");
  const runsAsOwn = architecture === own || (own === "amd64" && architecture === "386");
  if (!runsAsOwn && !await hasInterpreter(host, architecture)) {
    throw notRunnable(asked, own, `no interpreter for ${architecture} is registered`);
  }
  const isOwn = architecture === own && (variant === undefined || platform === "linux/arm64/v8");
  return isOwn ? null : platform;
}

/** Returns the host's architecture by its name in OCI. */
export async function hostArchitecture(host: Host): Promise<string> {
  const machine = (await host.processes.capture(["uname", "-m"])).stdout.trim();
  return SYNONYMS[machine] ?? machine;
}

function platformOf(asked: string): string {
  const words = asked.toLowerCase().split("/");
  const [os, ...rest] = words.length === 1 ? ["linux", ...words] : words;
  const [architecture = "", ...more] = rest;
  return [os, SYNONYMS[architecture] ?? architecture, ...more].join("/");
}

/**
 * With the flag F, the kernel has opened the interpreter already: an image does not have it. In a container, the folder
 * may be one that nothing mounts.
 */
async function hasInterpreter(host: Host, architecture: string): Promise<boolean> {
  const name = INTERPRETERS[architecture];
  if (name === undefined) return false;
  const path = `/proc/sys/fs/binfmt_misc/${name}`;
  const text = await host.files.read(path).catch(() => null) ?? "";
  return /^enabled$/m.test(text) && /^flags:.*F/m.test(text);
}

function notRunnable(asked: string, own: string, reason: string): Error {
  return refused(
    `Cannot run programs of platform ${JSON.stringify(asked.slice(0, 50))} on this host: ${reason}`,
    `The host's platform is linux/${own}; qemu-user-static, or qemu-user-binfmt, adds others`,
  );
}
