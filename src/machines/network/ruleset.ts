/** Reads tables as nft(8) lists them, and finds out whether a call of a machine may pass them. */

import { INTERFACE_PREFIX } from "./address.ts";
import { overlap } from "./overlap.ts";

/** A hook of nft(8) for packets to the host itself, or through it. */
export type Hook = "input" | "forward";

/** A first packet that a machine sends to an IPv4 address of the host. */
export interface Call {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** The addresses of machines. */
  readonly range: string;
}

interface Chain {
  /** The hook of a base chain; undefined for chains that others jump to. */
  readonly hook: string | undefined;
  readonly policy: "accept" | "drop";
  readonly rules: readonly string[];
}

type Chains = ReadonlyMap<string, Chain>;

/** Returns the chains of a table, by their names. */
function chainsOf(table: string): Chains {
  return new Map(
    [...table.matchAll(/^\tchain (\S+) \{\n((?:\t\t.*\n|\n)*)\t\}/gm)]
      .map(([, name = "", body = ""]) => {
        const lines = body.split("\n").map((line) => line.trim()).filter(Boolean);
        const [, hook] = lines[0]?.match(/^type filter hook (\S+) /) ?? [];
        const isBase = /^type \S+ hook /.test(lines[0] ?? "");
        const policy = isBase && /policy drop;/.test(lines[0]!) ? "drop" : "accept";
        return [name, { hook, policy, rules: (isBase ? lines.slice(1) : lines).flatMap(expanded) }];
      }),
  );
}

/** Returns the names of the base chains at a hook. */
export function baseChains(table: string, hook: Hook): string[] {
  return [...chainsOf(table)].filter(([, chain]) => chain.hook === hook).map(([name]) => name);
}

/** Returns whether a rule that names machines' interfaces is at a hook, or in a chain that is reached from there. */
export function namesMachines(table: string, hook: Hook): boolean {
  const chains = chainsOf(table);
  const reached = new Set(baseChains(table, hook));
  for (const name of reached) { // grows meanwhile
    for (const rule of chains.get(name)?.rules ?? []) {
      if (rule.includes(`"${INTERFACE_PREFIX}`)) return true;
      // The chains that a named map leads to are not known here.
      if (rule.includes(" vmap @")) return table.includes(`"${INTERFACE_PREFIX}`);
      const target = verdictOf(rule)?.target;
      if (target !== undefined) reached.add(target);
    }
  }
  return false;
}

/** Returns the base chains for packets to the host that drop a call for sure. */
export function droppingChains(table: string, call: Call): string[] {
  return verdictsOf(table, call).filter(({ verdicts }) => !verdicts.has("accept"))
    .map(({ name }) => name);
}

/** Returns the base chains for packets to the host that may drop a call: conditions that are not known here decide. */
export function chainsThatMayDrop(table: string, call: Call): string[] {
  return verdictsOf(table, call).filter(({ verdicts }) => verdicts.has("drop"))
    .map(({ name }) => name);
}

/** Returns all verdicts that each base chain for packets to the host may have on a call. */
function verdictsOf(table: string, call: Call): { name: string; verdicts: ReadonlySet<End> }[] {
  const chains = chainsOf(table);
  return baseChains(table, "input").map((name) => {
    const { policy } = chains.get(name)!;
    const ends = [...endsOf(chains, name, call)];
    return { name, verdicts: new Set(ends.map((end) => end === "end" ? policy : end)) };
  });
}

/** How a chain may end for a packet: `end` goes on after the jump to it. */
type End = "accept" | "drop" | "end";

/** Returns all ways in which a chain may end: conditions that are not known here may hold or not. */
function endsOf(chains: Chains, name: string, call: Call): ReadonlySet<End> {
  const ends = new Set<End>();
  for (const rule of chains.get(name)?.rules ?? []) {
    // The verdicts that a named map leads to are not known here.
    if (rule.includes(" vmap @")) ends.add("accept").add("drop");
    const verdict = verdictOf(rule);
    if (verdict === null) continue;
    const holds = conditionHolds(verdict.condition, call);
    if (holds === false) continue;
    const own = verdict.target === undefined
      ? new Set<End>([verdict.end])
      : endsOf(chains, verdict.target, call);
    const goesOn = verdict.isJump && own.has("end");
    for (const end of own) if (end !== "end" || !verdict.isJump) ends.add(end);
    if (holds === true && !goesOn) return ends;
  }
  return ends.add("end");
}

interface Verdict {
  readonly condition: string;
  readonly end: End;
  /** The chain of a jump or goto. */
  readonly target: string | undefined;
  /** Whether the packet comes back from that chain. */
  readonly isJump: boolean;
}

/** Parts of a rule that neither are a condition nor decide. */
const STATEMENTS =
  /\bcounter(?: packets \d+ bytes \d+)?|\blog(?: prefix "[^"]*"| level \S+| group \d+)*|\bcomment "[^"]*"/g;

function verdictOf(rule: string): Verdict | null {
  const plain = rule.replace(STATEMENTS, "").trim();
  const found = plain.match(
    /^(.*?)\b(accept|queue|drop|reject|return|jump|goto)(?: (\S+)(?: .*)?)?$/,
  );
  if (found === null) return null;
  const [, condition = "", word = "", operand] = found;
  const target = word === "jump" || word === "goto" ? operand : undefined;
  const end = word === "accept" || word === "queue"
    ? "accept"
    : word === "drop" || word === "reject"
    ? "drop"
    : "end";
  return { condition, end, target, isJump: word === "jump" };
}

/** Returns the rules that a rule with a map of verdicts stands for: one for each element. */
function expanded(rule: string): string[] {
  const [, before, elements] = rule.match(/^(.*) vmap \{ (.*) \}/) ?? [];
  return elements === undefined
    ? [rule]
    : elements.split(", ").map((element) => `${before} ${element.replace(" : ", " ")}`);
}

/** A part of a rule that is known here, with its values; undefined where they do not tell. */
interface Condition {
  readonly words: RegExp;
  readonly holds: (value: string, call: Call, matched: string) => boolean | undefined;
}

const CONDITIONS: readonly Condition[] = [
  {
    words: /\biifname\b/,
    holds: (value) => {
      const name = value.replaceAll('"', "");
      return name.endsWith("*")
        ? `${INTERFACE_PREFIX}0`.startsWith(name.slice(0, -1))
        : name.startsWith(INTERFACE_PREFIX);
    },
  },
  { words: /\b(?:iif|oif|oifname)\b/, holds: () => false },
  // The first packet of TCP has the flag SYN alone.
  { words: /\btcp flags !(?:= syn \/)? fin,syn,(?:psh,)?rst,(?:psh,)?ack/, holds: () => false },
  { words: /\btcp flags & \([^)]*\) (?:!= syn|== (?:0x0|fin))\b/, holds: () => false },
  { words: /\b(?:tcp|udp|th) dport\b/, holds: isPort },
  { words: /\b(?:meta l4proto|ip protocol)\b/, holds: (value, call) => value === call.protocol },
  { words: /\bmeta nfproto\b/, holds: (value) => value === "ipv4" },
  { words: /\bct state\b/, holds: (value) => value === "new" },
  { words: /\bct status\b/, holds: () => false },
  { words: /\bfib daddr type\b/, holds: (value) => value === "local" },
  { words: /\bip saddr\b/, holds: (value, { range }) => isOther(value, range) ? false : undefined },
  { words: /\b(?:ip6 \S+|(?:icmp|icmpv6) (?:type|code))\b/, holds: () => false },
];

/** Values of a condition: one, a list, or a set. */
const VALUES = /^ (!= )?(\{ ([^}]*) \}|"[^"]*"|\S+)/;

/** Returns whether a call fulfils all conditions of a rule; undefined where that is not known here. */
function conditionHolds(text: string, call: Call): boolean | undefined {
  let rest = text;
  let holds: boolean | undefined = true;
  for (const condition of CONDITIONS) {
    const start = rest.search(condition.words);
    if (start < 0) continue;
    const [words = ""] = rest.slice(start).match(condition.words)!;
    const [values = "", not, one = "", set] = rest.slice(start + words.length).match(VALUES) ?? [];
    rest = rest.slice(0, start) + rest.slice(start + words.length + values.length);
    const answers = (set ?? one).split(/, |,/).map((value) => condition.holds(value, call, words));
    const some = answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
    const fulfilled = not === undefined || some === undefined ? some : !some;
    if (fulfilled === false) return false;
    holds = fulfilled === undefined ? undefined : holds;
  }
  const other = call.protocol === "tcp" ? "udp" : "tcp";
  if (new RegExp(`\\b${other} `).test(rest)) return false;
  return rest.trim() === "" ? holds : undefined;
}

function isPort(value: string, { protocol, port }: Call, words: string): boolean | undefined {
  if (!words.startsWith("th") && !words.startsWith(protocol)) return false;
  const [first, last = first] = value.split("-").map(Number);
  if (Number.isNaN(first) || Number.isNaN(last)) return undefined; // a named set
  return first! <= port && port <= last!;
}

function isOther(value: string, range: string): boolean {
  return /^[\d.]+(?:\/\d+)?$/.test(value) && !overlap(value, range);
}
