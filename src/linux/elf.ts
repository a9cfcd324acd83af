/** Executable files: elf(5). */

import type { Host } from "../host/host.ts";

/** The type of the part of a program that names its dynamic linker. */
const PT_INTERP = 3;

/** Returns whether a file is a program of 64 bits that needs no dynamic linker, and so no file of its root. */
export async function isStaticProgram(host: Host, path: string): Promise<boolean> {
  const bytes = await host.files.readBytes(path);
  if (bytes === null || bytes.length < 64) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isElf = view.getUint32(0) === 0x7f454c46 && bytes[4] === 2;
  if (!isElf) return false;
  const isLittle = bytes[5] === 1;
  const start = Number(view.getBigUint64(32, isLittle));
  const [size, count] = [view.getUint16(54, isLittle), view.getUint16(56, isLittle)];
  const parts = Array.from({ length: count }, (_, index) => start + index * size);
  if (parts.some((at) => at + 4 > bytes.length)) return false;
  return parts.every((at) => view.getUint32(at, isLittle) !== PT_INTERP);
}
