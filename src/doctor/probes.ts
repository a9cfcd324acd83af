/** The protections that every machine should have, and for each a probe that tests it from inside a machine. */

import { broken, type Finding, ok, unknown, weak } from "./finding.ts";

/** The test of one protection. */
export interface Probe {
  readonly topic: string;
  /** Runs in sh on the host, and prints one line. */
  readonly hostScript?: string;
  /** Runs in sh in the machine, with the line of the host in $host_line, and prints one line. */
  readonly machineScript: string;
  /** Judges by the lines of both scripts. */
  readonly judge: (machineLine: string, hostLine: string) => Verdict;
  readonly fix: string;
  /** Whether jobs cannot run without it. */
  readonly isNeeded?: boolean;
}

/** Whether the protection is there, and what was found; `unknown` where the probe proves nothing. */
type Verdict = readonly ["kept" | "open" | "unknown", string];

/** Functions of all probes. One that cannot succeed, for lack of a program, proves nothing: it ends as unknown. */
const FUNCTIONS = `
unknown() { echo "unknown $*"; exit; }
needs() { for tool; do command -v "$tool" >/dev/null || unknown "there is no $tool to try it with"; done; }
as_root() { needs id; [ "$(id -u)" = 0 ] || unknown "scripts are of user $(id -u); root could do more"; }
`;

const NO_NAMESPACE = "See user namespaces above: with them, root of a machine cannot do this";

/** The address of the metadata service in all large clouds. */
const METADATA = "169.254.169.254";

const METADATA_LINES = `needs bash timeout
if timeout 2 bash -c ': >/dev/tcp/${METADATA}/80' 2>/dev/null; then echo reached; else echo nothing; fi`;

/**
 * Calls request_key(2) for a key that does not exist. The kernel fails it with ENOKEY, nspawn's filter with
 * EPERM. That any filter is active proves nothing: nspawn has others, too.
 */
const SYSTEM_CALL_LINES = `
while read -r key value; do [ "$key" != Seccomp: ] || mode=$value; done </proc/self/status
if [ "$mode" = 0 ]; then echo pass; exit; fi
needs uname
case $(uname -m) in
  x86_64) number=249 ;;
  aarch64 | riscv64) number=218 ;;
  *) unknown "the number of request_key is not known here" ;;
esac
if command -v perl >/dev/null; then
  errno=$(perl -e '($n, $t, $d) = (0 + shift, "user", "none"); syscall($n, $t, $d, 0, 0); print $! + 0' $number)
elif command -v python3 >/dev/null; then
  errno=$(python3 -c 'import ctypes, sys
ctypes.CDLL(None, use_errno=True).syscall(int(sys.argv[1]), b"user", b"none", None, 0)
print(ctypes.get_errno())' $number)
else
  unknown "there is no perl and no python3 to try it with"
fi
case $errno in
  1) echo refused ;;
  38) unknown "this kernel has no keyrings to try it with" ;;
  *) echo pass ;;
esac`;

/** All probes, in the order of the report. */
export const PROBES: readonly Probe[] = [
  {
    topic: "git",
    machineScript: "git --version",
    judge: (machineLine) => [/^git version/.test(machineLine) ? "kept" : "open", machineLine],
    fix: "Install git by packages or setup in the definition: jobs need it",
    isNeeded: true,
  },
  {
    topic: "user ids",
    machineScript: 'read -r first host count </proc/self/uid_map && echo "map $first $host $count"',
    judge: (
      machineLine,
    ) => [/^map 0 [1-9]\d* (65536|1048576)$/.test(machineLine) ? "kept" : "open", machineLine],
    fix: NO_NAMESPACE,
  },
  {
    topic: "network",
    hostScript: 'echo "$(readlink /proc/self/ns/net) $(readlink /proc/1/ns/net)"',
    machineScript: `needs readlink
while IFS=: read -r name rest; do [ -z "$rest" ] || names="$names $name"; done </proc/net/dev
# shellcheck disable=SC2086 # the names have blanks before them
echo "$(readlink /proc/self/ns/net)" $names`,
    judge(machineLine, hostLine) {
      const [own = "", ...names] = machineLine.split(" ");
      if (!hostLine.startsWith("net:")) return ["unknown", "the host's namespace cannot be read"];
      const isHosts = hostLine.split(" ").includes(own);
      return [
        isHosts ? "open" : "kept",
        `${isHosts ? "the host's" : "its own"}: ${names.join(" ")}`,
      ];
    },
    fix: "See nftables, forwarding and DNS above: with them, machines have networks of their own",
  },
  {
    topic: "metadata",
    hostScript: METADATA_LINES,
    machineScript: METADATA_LINES,
    judge(machineLine, hostLine) {
      if (machineLine === "reached") return ["open", `${METADATA} answers`];
      if (hostLine === "reached") return ["kept", "out of reach; the host reaches it"];
      return ["unknown", `nothing at ${METADATA} answers the host or the machine`];
    },
    fix: 'Set network = "private", and remove the address from network_allow',
  },
  {
    topic: "kernel",
    // A file that can be opened for appending could be written; nothing is changed.
    machineScript: `as_root
try() { if ( : >>"$1" ) 2>/dev/null; then echo "$1 can be written"; exit; fi; }
for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do
  try "$file"
done
needs mount mkdir
mount -o remount,rw,bind /proc/sys 2>/dev/null
try /proc/sys/kernel/core_pattern
mkdir /.doctor && mount -t proc proc /.doctor 2>/dev/null
try /.doctor/sys/kernel/core_pattern
echo out of reach`,
    judge: unless("out of reach"),
    fix: NO_NAMESPACE,
  },
  {
    topic: "disks",
    // A disk that the host itself can open: the number of no disk would be refused everywhere.
    hostScript: `
while read -r major minor _ name; do
  if [ -b "/dev/$name" ] && ( : <"/dev/$name" ) 2>/dev/null; then echo "$major $minor"; exit; fi
done </proc/partitions`,
    // A file system that is mounted with nodev, such as /tmp, would refuse every node.
    machineScript: `[ -n "$host_line" ] || unknown "the host has no disk to try it with"
as_root
needs mknod rm
for node in /.doctor-disk /dev/.doctor-disk; do
  # shellcheck disable=SC2086 # the major and the minor number are two arguments
  mknod "$node" b $host_line 2>/dev/null || continue
  if ( : <"$node" ) 2>/dev/null; then echo "disk $host_line can be opened"; exit; fi
  rm "$node"
done
echo out of reach`,
    judge: unless("out of reach"),
    fix: NO_NAMESPACE,
  },
  {
    topic: "read-only binds",
    machineScript: `as_root
needs mount
[ -d /run/nspawn-runner ] || unknown "/run/nspawn-runner is not there"
mount -o remount,rw,bind /run/nspawn-runner 2>/dev/null
if ( : >/run/nspawn-runner/.doctor ) 2>/dev/null; then echo can be written; else echo stay read-only; fi`,
    judge: unless("stay read-only"),
    fix: NO_NAMESPACE,
  },
  {
    topic: "system calls",
    hostScript: SYSTEM_CALL_LINES,
    machineScript: SYSTEM_CALL_LINES,
    judge(machineLine, hostLine) {
      if (machineLine === "pass") return ["open", "request_key passes"];
      if (hostLine === "pass") return ["kept", "filtered: request_key is refused"];
      return ["unknown", "the host itself is refused request_key, or cannot try it"];
    },
    fix: "Set seccomp = true",
  },
];

function unless(good: string): Probe["judge"] {
  return (machineLine) => [machineLine === good ? "kept" : "open", machineLine];
}

/** Returns the lines of a probe as a program: in a subshell, with the functions that they use. */
export function asProgram(lines: string): string {
  return `(${FUNCTIONS}${lines}\n) 2>&1\n`;
}

/**
 * Returns the finding of a probe.
 *
 * @param machineLine What the machine printed; undefined where it printed none.
 * @param hostLine What the host printed; empty where the probe has no script for it.
 */
export function findingFrom(
  { topic, judge, fix, isNeeded }: Probe,
  machineLine: string | undefined,
  hostLine: string,
): Finding {
  const name = `inside: ${topic}`;
  if (machineLine === undefined) {
    return broken(name, "no answer", "The machine ended: see the messages above");
  }
  const why = machineLine.match(/^unknown (.*)/)?.[1];
  const [verdict, found] = why === undefined
    ? judge(machineLine, hostLine)
    : ["unknown", why] as const;
  if (verdict === "kept") return ok(name, found);
  if (verdict === "unknown") return unknown(name, found);
  return isNeeded ? broken(name, found, fix) : weak(name, found, fix);
}
