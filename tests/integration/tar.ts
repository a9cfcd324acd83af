/** Creates tar files with arbitrary members: ustar, tar(5). */

/** A member of a tar file. */
export interface Member {
  readonly name: string;
  readonly text?: string;
  readonly link?: string;
  readonly kind?: "folder";
}

const BLOCK = 512;

/**
 * A tar file.
 *
 * @param members What is in it, in that order.
 * @returns Its bytes.
 */
export function tarOf(members: readonly Member[]): Uint8Array {
  const blocks = members.flatMap((member) => [headerOf(member), ...contentOf(member)]);
  blocks.push(new Uint8Array(2 * BLOCK));
  const bytes = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    bytes.set(block, at);
    at += block.length;
  }
  return bytes;
}

function headerOf({ name, text = "", link = "", kind }: Member): Uint8Array {
  const type = kind === "folder" ? "5" : link === "" ? "0" : "2";
  const field = (value: string, width: number) => value.padEnd(width, "\0").slice(0, width);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;
  const before = field(name, 100) + octal(0o755, 8) + octal(0, 8) + octal(0, 8) +
    octal(new TextEncoder().encode(text).length, 12) + octal(0, 12);
  const after = type + field(link, 100) + "ustar\0" + "00";
  // In the checksum its own field counts as blanks.
  const sum = [...`${before}        ${after}`].reduce((all, one) => all + one.charCodeAt(0), 0);
  const header = new Uint8Array(BLOCK);
  header.set(new TextEncoder().encode(`${before}${sum.toString(8).padStart(6, "0")}\0 ${after}`));
  return header;
}

function contentOf({ text = "" }: Member): Uint8Array[] {
  if (text === "") return [];
  const content = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil(content.length / BLOCK) * BLOCK);
  padded.set(content);
  return [padded];
}
