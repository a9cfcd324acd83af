/** Streams of bytes, in pieces: named pipes, and the standard streams of this process. */

/** The size of a pipe's buffer: pipe(7). */
const PIECE_SIZE = 65_536;

/** A piece of a stream. */
export type Piece = Uint8Array<ArrayBuffer>;

/**
 * Reads what comes out of a named pipe, until no process has it open for writing.
 *
 * @param take Called with each piece; returns false where nobody wants more.
 */
export async function readPieces(
  path: string,
  take: (piece: Piece) => Promise<boolean>,
): Promise<void> {
  using file = await Deno.open(path);
  const buffer = new Uint8Array(PIECE_SIZE);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null || !await take(buffer.slice(0, count))) return;
  }
}

/** Writes to a standard stream of this process; returns false where nobody reads it any more. */
export async function writePiece(stream: "stdout" | "stderr", piece: Piece): Promise<boolean> {
  try {
    for (let at = 0; at < piece.length;) at += await Deno[stream].write(piece.subarray(at));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}
