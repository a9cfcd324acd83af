/**
 * Collects all messages of src/ in tests/unit/messages.txt, where a person can read them in one sitting.
 * The test fails where the file is not up to date.
 */

import assert from "node:assert/strict";
import { assertUpToDate } from "./generated.ts";
import { declarationOf, modulesBelow, type Node, visit } from "./source.ts";

/** Functions of failures and logs: the first argument is a message, and the second one a hint where there is one. */
const SPEAKERS: Readonly<Record<string, string>> = {
  usageError: "usage",
  refused: "refused",
  hostFailure: "host",
  "log.warn": "warning",
  "log.info": "info",
  "log.step": "step",
  "terminal.out": "output",
  "terminal.ask": "question",
};

/** Modules with other texts for people, which are read on other pages. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "src/cli/chroot_commands.ts": "docs/reference/commands.md",
  "src/cli/host_commands.ts": "docs/reference/commands.md",
  "src/cli/job_commands.ts": "docs/reference/commands.md",
  "src/cli/gitlab_config_command.ts": "docs/reference/commands.md",
  "src/cli/prepare_command.ts": "docs/reference/commands.md",
  "src/cli/run_command.ts": "docs/reference/commands.md",
  "src/cli/cleanup_command.ts": "docs/reference/commands.md",
  "src/cli/help.ts": "the snapshot of help_test.ts",
  "src/config/config_settings.ts": "docs/reference/configuration.md",
  "src/config/definition_settings.ts": "docs/reference/configuration.md",
  "src/config/machine_settings.ts": "docs/reference/configuration.md",
  "src/config/setting.ts": "docs/reference/configuration.md",
};

/** Whether a text is prose: it has two words, of which one has three letters. */
function isProse(text: string): boolean {
  return /[A-Za-z'{}]+[,:;]? [A-Za-z'{}]+/.test(text) && /[A-Za-z]{3}/.test(text) &&
    !/^--?\w|^[#/]|\n.*\n/.test(text.trim());
}

/** Returns a message as it is read: what varies stands in braces, alternatives between bars. */
function render(node: Node | undefined, sourceOf: (node: Node) => string): string {
  const parts = (nodes: readonly Node[]) => nodes.map((one) => render(one, sourceOf));
  switch (node?.type) {
    case undefined:
      return "";
    case "Literal":
      return String(node["value"]);
    case "TemplateLiteral": {
      const gaps = parts(node["expressions"]);
      const texts: string[] = node["quasis"].map(({ cooked }: Node) => cooked);
      return texts.map((text, index) => text + (gaps[index] ?? "")).join("");
    }
    case "BinaryExpression":
      if (node["operator"] === "+") return parts([node["left"], node["right"]]).join("");
      break;
    case "ConditionalExpression":
      return `<${parts([node["consequent"], node["alternate"]]).join(" | ")}>`;
    case "LogicalExpression":
      return `<${parts([node["left"], node["right"]]).join(" | ")}>`;
    case "AwaitExpression":
      return render(node["argument"], sourceOf);
  }
  const source = sourceOf(node!).replace(/\s+/g, " ");
  return `{${source.length > 40 ? `${source.slice(0, 37)}...` : source}}`;
}

/** Whether a rendered message has no text of its own. */
function isVariable(message: string): boolean {
  return /^(\{[^{}]*\})?$/.test(message);
}

/** Returns the function that a call names, as far as SPEAKERS has it: `log.warn` of `host.log.warn()`. */
function speakerOf(callee: Node, sourceOf: (node: Node) => string): string | undefined {
  const name = sourceOf(callee).split(".").slice(-2).join(".");
  return SPEAKERS[name] ?? SPEAKERS[sourceOf(callee)];
}

function isWithin(node: Node, ancestors: ReadonlySet<string>): boolean {
  for (let at: Node | undefined = node; at?.range !== undefined; at = at.parent) {
    if (ancestors.has(at.range.join())) return true;
  }
  return false;
}

/** Kind, chroot, message and hint are the arguments of its constructor. */
const CHROOT_FAILURE = "ChrootFailure";

function messagesOf(file: string): string[] {
  const found: { at: number; line: string }[] = [];
  const covered = new Set<string>();
  const loose: { node: Node; line: string }[] = [];
  const text = (node: Node, sourceOf: (node: Node) => string) => {
    const line = render(node, sourceOf);
    if (isProse(line) && !declarationOf(node).name.endsWith("_SCRIPT")) loose.push({ node, line });
  };
  const message = (
    node: Node,
    speaker: string,
    texts: readonly Node[],
    sourceOf: (node: Node) => string,
  ) => {
    covered.add(node.range.join());
    const [said = "", hint = ""] = texts.map((one) => render(one, sourceOf).trimEnd());
    if (isVariable(said) && isVariable(hint)) return;
    const lines = [`${speaker}: ${said}`];
    if (hint !== "" && hint !== "{undefined}") lines.push(`  hint: ${hint}`);
    found.push({ at: node.range[0], line: lines.join("\n") });
  };
  visit(file, {
    CallExpression(node, sourceOf) {
      const speaker = speakerOf(node["callee"], sourceOf);
      if (speaker !== undefined) message(node, speaker, node["arguments"], sourceOf);
    },
    NewExpression(node, sourceOf) {
      if (sourceOf(node["callee"]) !== CHROOT_FAILURE) return;
      const [kind, , ...texts]: Node[] = node["arguments"];
      message(node, render(kind, sourceOf), texts, sourceOf);
    },
    Literal: (node, sourceOf) => {
      if (!/^(Import|Export)/.test(node.parent?.type ?? "")) text(node, sourceOf);
    },
    TemplateLiteral: text,
  });
  for (const { node, line } of loose) {
    if (isWithin(node, covered)) continue;
    found.push({ at: node.range[0], line: `text: ${line.trimEnd()}` });
    covered.add(node.range.join());
  }
  return found.toSorted((a, b) => a.at - b.at).map(({ line }) => line);
}

const FILES = modulesBelow("src").filter((file) => !(file in ELSEWHERE))
  .map((file) => ({ file, lines: messagesOf(file) }))
  .filter(({ lines }) => lines.length > 0);

Deno.test("tests/unit/messages.txt has all messages of src/", async () => {
  const sections = FILES.map(({ file, lines }) =>
    `${file}\n${lines.join("\n").replace(/^/gm, "  ")}\n`
  );
  const head =
    "All messages of src/, written by `deno task update`. {…} varies, <a | b> is a or b.\n";
  await assertUpToDate("tests/unit/messages.txt", [head, ...sections].join("\n"));
});

Deno.test("failures begin with Cannot, and end without a period", () => {
  const failures = FILES.flatMap(({ lines }) => lines)
    .flatMap((line) => line.match(/^(?:usage|refused|host): (.*)/)?.[1] ?? []);
  assert.ok(failures.length > 100, `only ${failures.length} were found`);
  // Some give the reason alone, to functions that put the rest before it.
  const wrong = failures.filter((text) => !/^(<?Cannot |[a-z{])/.test(text) || text.endsWith("."));
  assert.deepEqual(wrong, []);
});
