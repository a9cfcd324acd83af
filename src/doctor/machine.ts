/** Starts a machine as a job gets it, and looks from inside at what is promised of it. */

import type { Argv, Host } from "../host/host.ts";
import { broken, type Finding, ok, weak } from "./finding.ts";

/** One look from inside. */
interface Probe {
  readonly topic: string;
  /** Lines of sh that print what is there, in one line. */
  readonly script: string;
  /** What they print where all is well. */
  readonly good: RegExp;
  readonly fix: string;
  /** Whether jobs do not run without it. */
  readonly isNeeded?: boolean;
}

const NO_NAMESPACE = "user namespaces, above, keep root of a machine from it";

const PROBES: readonly Probe[] = [
  {
    topic: "git",
    script: "git --version",
    good: /^git version/,
    fix: "Jobs need it: packages or setup in the definition",
    isNeeded: true,
  },
  {
    topic: "user ids",
    script: "tr -s ' ' </proc/self/uid_map | sed 's/^ /map /'",
    good: /^map 0 [1-9]\d* 65536$/,
    fix: NO_NAMESPACE,
  },
  {
    topic: "interfaces",
    script: "sed -n 's/^ *\\([^ ]*\\):.*/\\1/p' /proc/net/dev | sort | tr '\\n' ' '",
    good: /^(?:eth0 lo|lo) $/,
    fix: "nftables, forwarding and DNS, above, give it a network of its own",
  },
  {
    topic: "metadata",
    script:
      "if timeout 2 bash -c ': >/dev/tcp/169.254.169.254/80' 2>/dev/null; then echo reached; else echo out of reach; fi",
    good: /^out of reach$/,
    fix: "A network of its own, and network_deny with 169.254.0.0/16",
  },
  {
    topic: "kernel",
    // To open is not to write.
    script:
      `for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do
  if ( : >>"$file" ) 2>/dev/null; then echo "$file can be written"; fi
done | grep . || echo out of reach`,
    good: /^out of reach$/,
    fix: NO_NAMESPACE,
  },
  {
    topic: "disks",
    script: `if mknod /tmp/.disk b 259 0 2>/dev/null && head -c 0 /tmp/.disk 2>/dev/null
then echo can be opened; else echo out of reach; fi; rm -f /tmp/.disk`,
    good: /^out of reach$/,
    fix: NO_NAMESPACE,
  },
  {
    topic: "read-only binds",
    script:
      "if mount -o remount,rw,bind /run/nspawn-runner 2>/dev/null; then echo writable; else echo stay so; fi",
    good: /^stay so$/,
    fix: NO_NAMESPACE,
  },
  {
    topic: "system calls",
    script: "sed -n 's/^Seccomp:[^0-9]*/filter /p' /proc/self/status",
    good: /^filter 2$/,
    fix:
      "seccomp = true, and a chroot that boots: in a plain machine the filter covers PID 1 alone",
  },
];

/** A line between the answers, which no answer has. */
const MARK = "==== nspawn-runner doctor ====";

/**
 * Starts a machine and looks around in it; it is gone when this returns.
 *
 * @param host The outside.
 * @param driver The words that call this program.
 * @param image As a job names it.
 * @returns What was found; the first finding that is broken ends it.
 */
export async function examineMachine(host: Host, driver: Argv, image: string): Promise<Finding[]> {
  const id = `doctor-${host.pid()}`;
  const call = (...words: string[]) => host.processes.capture([...driver, ...words, "--id", id]);
  const folder = await host.files.temporaryDirectory("doctor");
  try {
    const prepared = await call("prepare", image);
    if (prepared.code !== 0) return [broken("machine", lastLine(prepared.stderr), "As it says")];
    const script = `${folder}/script`;
    const text = PROBES.map((probe) => `{ ${probe.script}\n} 2>&1\necho '${MARK}'\n`).join("");
    await host.files.write(script, `#!/bin/sh\n${text}`);
    const { stdout } = await call("run", script);
    const answers = stdout.split(`${MARK}\n`).slice(0, -1);
    return [ok("machine", prepared.stderr.trim().split("\n")[1] ?? ""), ...findings(answers)];
  } finally {
    await call("cleanup");
    await host.files.removeTree(folder);
  }
}

function findings(answers: readonly string[]): Finding[] {
  return PROBES.map(({ topic, good, fix, isNeeded }, index) => {
    const answer = answers[index]?.split("\n")[0];
    const name = `inside: ${topic}`;
    if (answer === undefined) return broken(name, "no answer", "The machine ended: see its log");
    if (good.test(answer)) return ok(name, answer.trim());
    return isNeeded ? broken(name, answer, fix) : weak(name, answer, fix);
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
