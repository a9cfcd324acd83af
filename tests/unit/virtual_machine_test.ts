/** The virtual machines of the tests. */

import assert from "node:assert/strict";
import { hasVirtualization } from "../vm/accelerator.ts";

Deno.test("the tests' virtual machine uses KVM only with VT-x or AMD-V", () => {
  const cpuinfo = (flags: string) =>
    `processor\t: 0\nflags\t\t: ${flags}\nvmx flags\t: vnmi\n\nprocessor\t: 1\n`;
  assert.ok(hasVirtualization(cpuinfo("fpu vmx sse2")));
  assert.ok(hasVirtualization(cpuinfo("fpu sse2 svm")));
  assert.ok(!hasVirtualization(cpuinfo("fpu sse2 svm_lock hypervisor")));
  assert.ok(!hasVirtualization("processor\t: 0\nFeatures\t: fp asimd\n"));
});
