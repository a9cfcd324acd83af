import assert from "node:assert/strict";
import { isStaticProgram } from "../../../src/linux/elf.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

/** Returns a program of 64 bits with parts of these types: elf(5). */
function elf(types: readonly number[], isLittle = true): Uint8Array {
  const [start, size] = [64, 56];
  const view = new DataView(new ArrayBuffer(start + size * types.length));
  view.setUint32(0, 0x7f454c46);
  view.setUint8(4, 2);
  view.setUint8(5, isLittle ? 1 : 2);
  view.setBigUint64(32, BigInt(start), isLittle);
  view.setUint16(54, size, isLittle);
  view.setUint16(56, types.length, isLittle);
  types.forEach((type, index) => view.setUint32(start + index * size, type, isLittle));
  return new Uint8Array(view.buffer);
}

Deno.test("isStaticProgram() tells programs without a dynamic linker from others", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    const path = `${folder}/program`;
    const isStatic = async (bytes: Uint8Array) => {
      await Deno.writeFile(path, bytes);
      return await isStaticProgram(host, path);
    };
    assert.equal(await isStatic(elf([6, 1, 1])), true);
    assert.equal(await isStatic(elf([6, 1], false)), true);
    assert.equal(await isStatic(elf([6, 3, 1])), false, "PT_INTERP");
    assert.equal(await isStatic(elf([6, 3], false)), false);
    assert.equal(await isStatic(elf([6, 1]).slice(0, 100)), false, "cut off");
    assert.equal(await isStatic(new TextEncoder().encode("#!/bin/sh\n".repeat(20))), false);
    assert.equal(await isStatic(new Uint8Array()), false);
    assert.equal(await isStaticProgram(host, `${folder}/none`), false);
  }));
