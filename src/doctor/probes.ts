/** What is promised of a machine, and how a look from inside shows whether that is kept. */

import { broken, type Finding, ok, unknown, weak } from "./finding.ts";

/** One look from inside. */
export interface Probe {
  readonly topic: string;
  /** Lines of sh for the host. They print, in one line, what the machine is compared with. */
  readonly outside?: string;
  /** Lines of sh for the machine. They find that line in $outside, and print what is there, in one line. */
  readonly inside: string;
  /** What both lines show. */
  readonly judge: (inside: string, outside: string) => Verdict;
  /** What mends it. */
  readonly fix: string;
  /** Whether jobs do not run without it. */
  readonly isNeeded?: boolean;
}

/** Kept, open, or nothing was proved; and what was found. */
type Verdict = readonly ["kept" | "open" | "unknown", string];

/** For all lines of sh: what cannot be tried is said, since a try that cannot succeed proves nothing. */
const WORDS = `
unknown() { echo "unknown $*"; exit; }
needs() { for tool; do command -v "$tool" >/dev/null || unknown "there is no $tool to try it with"; done; }
as_root() { needs id; [ "$(id -u)" = 0 ] || unknown "scripts are of user $(id -u); root could do more"; }
`;

const NO_NAMESPACE = "user namespaces, above, keep root of a machine from it";

/** Where clouds have it, whichever they are. */
const METADATA = "169.254.169.254";

const CONNECT = `needs bash timeout
if timeout 2 bash -c ': >/dev/tcp/${METADATA}/80' 2>/dev/null; then echo reached; else echo nothing; fi`;

/**
 * Asks for a key that nobody has, which the kernel lets everybody do: ENOKEY, but EPERM of nspawn's filter.
 * That there are filters shows nothing: nspawn has others, too.
 */
const CALL = `
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

/** All that is looked at, in the order of the report. */
export const PROBES: readonly Probe[] = [
  {
    topic: "git",
    inside: "git --version",
    judge: (inside) => [/^git version/.test(inside) ? "kept" : "open", inside],
    fix: "Jobs need it: packages or setup in the definition",
    isNeeded: true,
  },
  {
    topic: "user ids",
    inside: 'read -r first host count </proc/self/uid_map && echo "map $first $host $count"',
    judge: (inside) => [/^map 0 [1-9]\d* 65536$/.test(inside) ? "kept" : "open", inside],
    fix: NO_NAMESPACE,
  },
  {
    topic: "network",
    outside: "echo $(readlink /proc/self/ns/net /proc/1/ns/net)",
    inside: `needs readlink
while IFS=: read -r name rest; do [ -z "$rest" ] || names="$names $name"; done </proc/net/dev
echo $(readlink /proc/self/ns/net) $names`,
    judge(inside, outside) {
      const [own = "", ...names] = inside.split(" ");
      if (!outside.startsWith("net:")) return ["unknown", "the host's namespace cannot be read"];
      const isHosts = outside.split(" ").includes(own);
      return [
        isHosts ? "open" : "kept",
        `${isHosts ? "the host's" : "its own"}: ${names.join(" ")}`,
      ];
    },
    fix: "nftables, forwarding and DNS, above, give it a network of its own",
  },
  {
    topic: "metadata",
    outside: CONNECT,
    inside: CONNECT,
    judge(inside, outside) {
      if (inside === "reached") return ["open", `${METADATA} answers`];
      if (outside === "reached") return ["kept", "out of reach; the host reaches it"];
      return ["unknown", `nothing at ${METADATA} answers the host, either`];
    },
    fix: "A network of its own, and network_deny with 169.254.0.0/16",
  },
  {
    topic: "kernel",
    // To open is not to write.
    inside: `as_root
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
    // One that the host itself can open: a number that no disk has would be refused everywhere.
    outside: `
while read -r major minor _ name; do
  if [ -b "/dev/$name" ] && ( : <"/dev/$name" ) 2>/dev/null; then echo "$major $minor"; exit; fi
done </proc/partitions`,
    // /tmp and others may open no nodes at all.
    inside: `[ -n "$outside" ] || unknown "the host has no disk to try it with"
as_root
needs mknod rm
for node in /.doctor-disk /dev/.doctor-disk; do
  mknod "$node" b $outside 2>/dev/null || continue
  if ( : <"$node" ) 2>/dev/null; then echo "disk $outside can be opened"; exit; fi
  rm "$node"
done
echo out of reach`,
    judge: unless("out of reach"),
    fix: NO_NAMESPACE,
  },
  {
    topic: "read-only binds",
    inside: `as_root
needs mount
[ -d /run/nspawn-runner ] || unknown "/run/nspawn-runner is not there"
mount -o remount,rw,bind /run/nspawn-runner 2>/dev/null
if ( : >/run/nspawn-runner/.doctor ) 2>/dev/null; then echo can be written; else echo stay so; fi`,
    judge: unless("stay so"),
    fix: NO_NAMESPACE,
  },
  {
    topic: "system calls",
    outside: CALL,
    inside: CALL,
    judge(inside, outside) {
      if (inside === "pass") return ["open", "request_key passes"];
      if (outside === "pass") return ["kept", "filtered: request_key is refused"];
      return ["unknown", "the host itself is refused request_key, or cannot try it"];
    },
    fix:
      "seccomp = true, and a chroot that boots: in a plain machine the filter covers PID 1 alone",
  },
];

function unless(good: string): Probe["judge"] {
  return (inside) => [inside === good ? "kept" : "open", inside];
}

/**
 * Lines of sh as they are run, in a shell of their own.
 *
 * @param lines Of a probe.
 * @returns The same, with the words that they use.
 */
export function runnable(lines: string): string {
  return `(${WORDS}${lines}\n) 2>&1\n`;
}

/**
 * What a look shows.
 *
 * @param probe Which.
 * @param inside What was printed in the machine; undefined where there was no answer.
 * @param outside What was printed on the host.
 * @returns The finding.
 */
export function findingOf(
  { topic, judge, fix, isNeeded }: Probe,
  inside: string | undefined,
  outside: string,
): Finding {
  const name = `inside: ${topic}`;
  if (inside === undefined) return broken(name, "no answer", "The machine ended: see its log");
  const why = inside.match(/^unknown (.*)/)?.[1];
  const [verdict, found] = why === undefined ? judge(inside, outside) : ["unknown", why] as const;
  if (verdict === "kept") return ok(name, found);
  if (verdict === "unknown") return unknown(name, found);
  return isNeeded ? broken(name, found, fix) : weak(name, found, fix);
}
