/** Fetches the files that a pipeline includes from elsewhere, in the machine of the reader. */

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
  if (code === 0) return stdout;
  const reason = stderr.trim().split("\n").at(-1);
  throw new FileMistake(`it includes ${url}, which cannot be fetched: ${reason}`, ["include"]);
}

/** In Python, which every helper root has for its other tools. */
const DOWNLOAD = "import sys, urllib.request as r; " +
  "sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=60).read(8 * 1024 ** 2))";
