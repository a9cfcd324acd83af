/**
 * The facts of an image: copies of the files that the host reads, such as passwd(5), and the names of shells. They are made
 * when the image is pulled, so that no later job mounts the image to read them.
 */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Lower } from "../../machines/record/lower.ts";
import { MOUNT_ENVIRONMENT, MOUNT_LAYERS_FUNCTION } from "./copy_files.ts";

/** Files that are copied, without leading slash. */
const COPIED = ["etc/passwd", "etc/group", "etc/hosts"];

/** Programs of which the host needs to know that they are there. The shells are those of GitLab Runner's shells/bash.go. */
const PROGRAMS = [
  ...["usr/local/bin/bash", "usr/bin/bash", "bin/bash"],
  ...["usr/local/bin/sh", "usr/bin/sh", "bin/sh", "busybox/sh"],
  ...["usr/local/bin/git", "usr/bin/git", "bin/git"],
];

/** Bytes that are copied of a file at most. */
const MAX_SIZE = 1_048_576;

/**
 * Shell functions that find files of a tree and resolve its links within it: the host's kernel would follow an absolute
 * link out of the tree. Nothing writes to the tree meanwhile.
 */
const LOOKUP_FUNCTIONS = `
# Sets at to the path below the tree $1 at which the file $2 is, without links. It is not printed: $() would remove line
# breaks at the end of a name, and so give the path of another file, which may be a link.
resolve() {
  rest=$2 at='' links=0
  while [ -n "$rest" ]; do
    case $rest in
      */*) part=\${rest%%/*} rest=\${rest#*/} ;;
      *) part=$rest rest= ;;
    esac
    case $part in
      '' | .) continue ;;
      ..) at=\${at%/*} && continue ;;
    esac
    if [ -L "$1$at/$part" ]; then
      links=$((links + 1))
      [ "$links" -le 40 ] || return 1
      target=$(readlink "$1$at/$part") || return 1
      case $target in /*) at='' ;; esac
      rest=$target/$rest
    else
      [ -e "$1$at/$part" ] || return 1
      at=$at/$part
    fi
  done
}
make_parent() {
  mkdir -p "\${1%/*}"
}
copy_file() {
  resolve "$1" "$3" && [ -f "$1$at" ] || return 0
  make_parent "$2/$3"
  head -c ${MAX_SIZE} "$1$at" >"$2/$3"
}
note_program() {
  resolve "$1" "$3" && [ -f "$1$at" ] && [ -x "$1$at" ] || return 0
  make_parent "$2/$3"
  : >"$2/$3"
  chmod 755 "$2/$3"
}
`;

/**
 * Arguments: the folder of the layers, the layers with colons between them, an empty folder to mount them on, the folder
 * for the copies, the time zone of the host or nothing.
 */
export const IMAGE_FACTS_SCRIPT = `${LOOKUP_FUNCTIONS}
${MOUNT_LAYERS_FUNCTION}
set -e
umask 022
mount_layers "$1" "$2" "$3"
mkdir -p "$4/etc" "$4/usr"
for file in ${COPIED.join(" ")}; do
  copy_file "$tree" "$4" "$file"
done
for file in ${PROGRAMS.join(" ")}; do
  note_program "$tree" "$4" "$file"
done
[ -z "$5" ] || ! resolve "$tree" "usr/share/zoneinfo/$5" || {
  make_parent "$4/usr/share/zoneinfo/$5"
  : >"$4/usr/share/zoneinfo/$5"
}
`;

/**
 * Copies those files of an image that the host reads.
 *
 * @param mountPoint An empty folder.
 * @param to A folder that does not exist.
 */
export async function copyFacts(
  host: Host,
  { folder, layers }: Lower,
  mountPoint: string,
  to: string,
): Promise<void> {
  const zone = (await host.files.readLink("/etc/localtime"))?.match(/\/zoneinfo\/([\w+/-]+)$/)?.[1];
  const argv = [
    ...OWN_MOUNTS,
    ...["sh", "-c", IMAGE_FACTS_SCRIPT, "sh"],
    ...[folder, layers.join(":"), mountPoint, to, zone ?? ""],
  ] as const;
  const env = { PATH, ...MOUNT_ENVIRONMENT };
  const { code, stderr } = await host.processes.capture(argv, { env });
  if (code === 0) return;
  throw hostFailure(`Cannot read the files of an image: ${stderr.trim().split("\n")[0]}`);
}

const OWN_MOUNTS = ["unshare", "--mount", "--propagation=private", "--"] as const;

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
