/** Names of packages, by program and distribution. */

type Family = "debian" | "fedora" | "arch";

/** Package names for Debian, Fedora and Arch; a single one where all are the same. */
const PACKAGES: Readonly<Record<string, readonly [string, string, string] | readonly [string]>> = {
  "systemd-nspawn": ["systemd-container", "systemd-container", "systemd"],
  "machinectl": ["systemd-container", "systemd-container", "systemd"],
  "systemd-run": ["systemd"],
  "nsenter": ["util-linux"],
  "setpriv": ["util-linux"],
  "unshare": ["util-linux"],
  "mount": ["mount", "util-linux-core", "util-linux"],
  "btrfs": ["btrfs-progs"],
  "chattr": ["e2fsprogs"],
  "script": ["bsdutils", "util-linux-script", "util-linux"],
  "mmdebstrap": ["mmdebstrap"],
  "debootstrap": ["debootstrap"],
  "ansible-playbook": ["ansible-core"],
  "skopeo": ["skopeo"],
  "umoci": ["umoci"],
  "zstd": ["zstd"],
  "git": ["git"],
};

/**
 * Returns a hint with the command that installs a program; undefined where the package is not known.
 *
 * @param osRelease The content of /etc/os-release: os-release(5).
 */
export function installHint(program: string, osRelease: string): string | undefined {
  const names = PACKAGES[program];
  const family = familyOf(osRelease);
  if (names === undefined || family === undefined) return undefined;
  const [debian, fedora = debian, arch = debian] = names;
  switch (family) {
    case "debian":
      return `Install it: apt install ${debian}`;
    case "fedora":
      return `Install it: dnf install ${fedora}`;
    case "arch":
      return `Install it: pacman -S ${arch}`;
  }
}

function familyOf(osRelease: string): Family | undefined {
  const ids = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=["']?([^"'\n]*)/gm)]
    .flatMap((match) => match[1]?.split(" ") ?? []);
  if (ids.includes("debian") || ids.includes("ubuntu")) return "debian";
  if (ids.includes("fedora") || ids.includes("rhel")) return "fedora";
  if (ids.includes("arch")) return "arch";
  return undefined;
}
