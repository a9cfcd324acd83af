/** promtool of Debian's package of Prometheus, which is not installed for it: the package starts a daemon. */

import { run } from "./command.ts";
import { CACHE } from "./roots.ts";

const CACHED = `${CACHE}/promtool`;

/** Argument: where the program is put. */
const DOWNLOAD = `set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download prometheus
dpkg-deb -x prometheus_*.deb .
mkdir -p "$(dirname "$1")"
install usr/bin/promtool "$1.new"
mv "$1.new" "$1"
`;

/** Returns the path of promtool; null where this machine has none and cannot download the package. */
export async function promtool(): Promise<string | null> {
  for (const path of ["promtool", CACHED]) {
    if (await runs(path)) return path;
  }
  await run(["sh", "-c", DOWNLOAD, "sh", CACHED]);
  return await runs(CACHED) ? CACHED : null;
}

async function runs(path: string): Promise<boolean> {
  const { code } = await run(["sh", "-c", '"$1" --version >/dev/null 2>&1', "sh", path]);
  return code === 0;
}
