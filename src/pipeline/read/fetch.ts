/** Fetches the files that a pipeline includes from elsewhere, in the machine of the reader. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { FileMistake } from "./mistake.ts";
import type { ReaderRequest } from "./request.ts";

/** Throws where the user does not allow to fetch files. */
export function allowFetch({ fetch }: ReaderRequest, source: string): void {
  if (fetch) return;
  throw new FileMistake(
    `it includes ${source}, which is not in the working copy; --fetch allows to fetch it`,
    ["include"],
  );
}

/**
 * Returns the text at a URL. The program itself may open no connection.
 *
 * @param integrity The hash that `include:integrity` demands; undefined for none.
 * @throws {FileMistake} where the text has another hash.
 */
export async function download(host: Host, url: string, integrity: unknown): Promise<string> {
  const { code, stdout, stderr } = await host.processes.capture(["python3", "-c", DOWNLOAD, url]);
  if (code !== 0) throw new Error(stderr);
  const end = stdout.indexOf("\n");
  const hash = stdout.slice(0, end);
  if (integrity !== undefined && integrity !== hash) {
    throw new FileMistake(
      `it includes ${url}, whose integrity is ${hash} instead of ${integrity}`,
      ["include"],
      {
        snippet: `${integrity}`,
        hint: "Find out why the file has changed, before you change integrity:",
      },
    );
  }
  return stdout.slice(end + 1);
}

/** Returns the mistake of a file that cannot be fetched: the last line of a program has its reason. */
export function notFetched(source: string, error: unknown): FileMistake {
  if (error instanceof FileMistake) return error;
  const { stderr } = error as { stderr?: unknown };
  const text = typeof stderr === "string" && stderr !== "" ? stderr : messageOf(error);
  const reason = text.trim().split("\n").at(-1)!.replace(PYTHON_ERROR, "$1");
  return new FileMistake(`it includes ${source}, which cannot be fetched: ${reason}`, ["include"]);
}

/** An error as Python prints it, such as `urllib.error.URLError: <urlopen error [Errno 111] Connection refused>`. */
const PYTHON_ERROR = /^[\w.]+Error: (?:<urlopen error (?:\[Errno -?\d+\] )?)?(.*?)>?$/;

/** In Python, which every helper root has for its other tools. It prints the hash of the bytes, too. */
const DOWNLOAD = "import base64, hashlib, sys, urllib.request as r; " +
  "text = r.urlopen(sys.argv[1], timeout=60).read(8 * 1024 ** 2); " +
  "hash = base64.b64encode(hashlib.sha256(text).digest()); " +
  "sys.stdout.buffer.write(b'sha256-' + hash + b'\\n' + text)";
