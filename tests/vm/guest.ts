/** Turns a Debian tree into a guest that boots in QEMU and accepts ssh. */

import { must } from "../hosts/command.ts";

/** Packages of the guest: those of a host, a kernel and an ssh server. */
export const PACKAGES = [
  "busybox-static",
  "dbus",
  "e2fsprogs",
  "initramfs-tools",
  "iproute2",
  "linux-image-cloud-amd64",
  "lz4",
  "nftables",
  "openssh-server",
  "python3",
  "systemd",
  "systemd-container",
  "systemd-sysv",
  "udev",
];

/** MAC address of the guest's only network card. */
export const MAC = "52:54:00:6e:72:01";

/** The guest's address in QEMU's user network. */
const NETWORK = `[Match]
MACAddress=${MAC}
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

/** The only modules in the initrd, since unpacking is slow under emulation. */
const INITRD: Readonly<Record<string, string>> = {
  "etc/initramfs-tools/conf.d/guest": "MODULES=list\nCOMPRESS=lz4\n",
  "usr/share/initramfs-tools/modules.d/guest": "virtio_pci\nvirtio_blk\next4\n",
};

const FILES: Readonly<Record<string, string>> = {
  "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
  "etc/hostname": "guest\n",
  "etc/hosts": "127.0.0.1 localhost guest\n",
  // With an existing one there is no first boot, which would apply every unit's preset.
  "etc/machine-id": "6e7370617772756e6e65720000000001\n",
  "etc/resolv.conf": "nameserver 10.0.2.3\n",
  "etc/ssh/sshd_config.d/guest.conf":
    "PermitRootLogin prohibit-password\nUsePAM no\nUseDNS no\nPerSourcePenalties no\n",
  "etc/systemd/network/10-guest.network": NETWORK,
};

/** Masked: nothing needs these units, and they would use the processor during tests. */
const NEEDLESS = [
  "apt-daily-upgrade.timer",
  "apt-daily.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "systemd-networkd-wait-online.service",
];

/** Returns options of mmdebstrap(1) that write files which must exist before the kernel is installed. */
export function setupOptions(): string[] {
  return Object.entries(INITRD).map(([path, text]) =>
    `--setup-hook=mkdir -p "$(dirname "$1/${path}")" && printf '%s' '${text}' >"$1/${path}"`
  );
}

/**
 * Turns a tree into the guest.
 *
 * @param key The public key for root.
 */
export async function makeGuest(tree: string, key: string): Promise<void> {
  for (const [path, text] of Object.entries(FILES)) {
    await Deno.remove(`${tree}/${path}`).catch(() => {}); // it may be a link to a file outside of the tree
    await Deno.writeTextFile(`${tree}/${path}`, text);
  }
  await Deno.mkdir(`${tree}/root/.ssh`, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${tree}/root/.ssh/authorized_keys`, key, { mode: 0o600 });
  const systemctl = ["systemctl", "--quiet", `--root=${tree}`];
  await must([...systemctl, "enable", "ssh.service", "systemd-networkd.service"]);
  await must([...systemctl, "mask", ...NEEDLESS]);
}
