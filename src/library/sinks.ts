/** Where the output of a script ends up. */

import { refused } from "../failure.ts";
import { type Piece, writePiece } from "../host/pipe.ts";
import type { OutputTarget } from "./types.ts";

/** Takes one stream of a script. */
export interface Sink {
  /** Takes a piece; returns false where no further one is wanted. */
  take(piece: Piece): Promise<boolean>;
  /** Returns the text of all pieces, where it keeps them. */
  text(): string;
  /** Called after the last piece. */
  release(): void;
}

/** Most bytes of output that a result has. */
export const MAX_TEXT = 64 * 1024 ** 2;

/** Returns the sink of a target; it throws what the target throws. */
export function sinkOf(target: OutputTarget, stream: "stdout" | "stderr"): Sink {
  switch (target) {
    case "text":
      return textSink();
    case "null":
      return { take: () => Promise.resolve(true), ...NO_TEXT };
    case "inherit":
      return { take: (piece) => writePiece(stream, piece), ...NO_TEXT };
    default:
      return streamSink(target);
  }
}

const NO_TEXT = { text: () => "", release: () => {} };

function textSink(): Sink {
  const pieces: Piece[] = [];
  let size = 0;
  return {
    take(piece) {
      size += piece.length;
      if (size > MAX_TEXT) return Promise.reject(tooLong());
      pieces.push(piece);
      return Promise.resolve(true);
    },
    text() {
      const decoder = new TextDecoder();
      const texts = pieces.map((piece) => decoder.decode(piece, { stream: true }));
      return texts.join("") + decoder.decode();
    },
    release() {},
  };
}

function streamSink(stream: WritableStream<Uint8Array>): Sink {
  const writer = stream.getWriter();
  return {
    async take(piece) {
      await writer.ready;
      await writer.write(piece);
      return true;
    },
    text: () => "",
    release: () => writer.releaseLock(),
  };
}

function tooLong(): Error {
  return refused(
    "Cannot keep the output of the script: it has more than 64 MiB",
    'Pass it on instead: run(script, { stdout: "inherit" }), or a stream in its place',
  );
}
