/** A stand-in for gitlab-runner, which scripts call in machines. */

import type { Site } from "../hosts/site.ts";

/** Has the commands that scripts call, and writes archives that only their owner can read. */
export const RUNNER = `#!/bin/bash
umask 077
command=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
    --file) file=$2 ;;
    --path) path=$2 ;;
  esac
  shift
done
case $command in
  --version) echo "Version: 0.0.0" ;;
  cache-archiver) mkdir -p "\${file%/*}" && tar -cf "$file.new" "$path" && mv -f "$file.new" "$file" ;;
  cache-extractor) [ ! -f "$file" ] || tar -xf "$file" --no-same-owner ;;
  artifacts-uploader) tar -cf - "$path" | tar -tf - ;;
  *) exit 64 ;;
esac
`;

/** Returns a site that has a program as gitlab-runner. */
export async function withRunner(site: Site, program: string = RUNNER): Promise<Site> {
  const gitlab_runner = await site.put(program);
  await site.host.exec(["chmod", "755", gitlab_runner]);
  return await site.with({ gitlab_runner });
}
