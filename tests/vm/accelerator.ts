/** How QEMU runs the guest's processor: with KVM where the hardware can, emulated elsewhere. */

/** Options of QEMU. */
const KVM = ["-accel", "kvm", "-cpu", "host"];
/** With the oldest processor that Deno supports. */
const EMULATED = ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "Nehalem"];

/** Returns QEMU's options for the guest's processor. */
export async function accelerator(): Promise<readonly string[]> {
  const info = await Deno.readTextFile("/proc/cpuinfo");
  return hasVirtualization(info) && await opens("/dev/kvm") ? KVM : EMULATED;
}

/**
 * Returns whether a processor has VT-x or AMD-V. Without it KVM, as in some virtual machines that have /dev/kvm, does not
 * boot an unchanged kernel.
 *
 * @param info The contents of /proc/cpuinfo.
 */
export function hasVirtualization(info: string): boolean {
  return /^flags\s*:.* (vmx|svm)( |$)/m.test(info);
}

async function opens(device: string): Promise<boolean> {
  return await Deno.open(device, { read: true, write: true })
    .then((file) => (file.close(), true), () => false);
}
