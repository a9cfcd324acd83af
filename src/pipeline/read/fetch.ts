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

/** Returns the text at a URL. The program itself may open no connection. */
export async function download(host: Host, url: string): Promise<string> {
  const { code, stdout, stderr } = await host.processes.capture(["python3", "-c", DOWNLOAD, url]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** Returns the mistake of a file that cannot be fetched: the last line of a program has its reason. */
export function notFetched(source: string, error: unknown): FileMistake {
  const { stderr } = error as { stderr?: unknown };
  const text = typeof stderr === "string" && stderr !== "" ? stderr : messageOf(error);
  const reason = text.trim().split("\n").at(-1)!.replace(PYTHON_ERROR, "$1");
  return new FileMistake(`it includes ${source}, which cannot be fetched: ${reason}`, ["include"]);
}

/** An error as Python prints it, such as `urllib.error.URLError: <urlopen error [Errno 111] Connection refused>`. */
const PYTHON_ERROR = /^[\w.]+Error: (?:<urlopen error (?:\[Errno -?\d+\] )?)?(.*?)>?$/;

/** In Python, which every helper root has for its other tools. */
const DOWNLOAD = "import sys, urllib.request as r; " +
  "sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=60).read(8 * 1024 ** 2))";
