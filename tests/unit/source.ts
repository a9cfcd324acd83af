/** Reads the sources of src/ as syntax trees, for the tests that hold all of them to a rule. */

import { fromFileUrl } from "@std/path/posix";

/** The checkout's folder, with a slash at its end. */
export const CHECKOUT = fromFileUrl(new URL("../../", import.meta.url));

/**
 * Lists the modules below a folder.
 *
 * @param folder Relative to the checkout.
 * @returns Their paths, relative to the checkout, sorted.
 */
export function modulesBelow(folder: string): string[] {
  return [...Deno.readDirSync(CHECKOUT + folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? modulesBelow(`${folder}/${name}`)
      : name.endsWith(".ts")
      ? [`${folder}/${name}`]
      : []
  ).sort();
}

/** A node of a syntax tree. Deno's own type has one interface for each kind, with other fields. */
export interface Node {
  readonly type: string;
  readonly range: readonly [start: number, end: number];
  readonly parent: Node | undefined;
  // deno-lint-ignore no-explicit-any
  readonly [field: string]: any;
}

/**
 * Visits the syntax tree of a module.
 *
 * @param file Relative to the checkout.
 * @param visitor Functions by selector, as in a plugin of `deno lint`; each gets a node, and what returns a node's source.
 */
export function visit(
  file: string,
  visitor: Readonly<Record<string, (node: Node, sourceOf: (node: Node) => string) => void>>,
): void {
  const source = Deno.readTextFileSync(CHECKOUT + file);
  // A module with a syntax error, or an error in a visitor, shows up as a diagnostic.
  const adapted = Object.entries(visitor).map(([selector, act]) => [
    selector,
    (node: Node) => act(node, ({ range }) => source.slice(...range)),
  ]);
  const create = () => Object.fromEntries(adapted) as Deno.lint.LintVisitor;
  const plugin: Deno.lint.Plugin = { name: "nspawn-runner", rules: { visit: { create } } };
  const [diagnostic] = Deno.lint.runPlugin(plugin, CHECKOUT + file, source);
  if (diagnostic !== undefined) throw new Error(`${file}: ${diagnostic.message}`);
}

/**
 * Returns the text of a string literal, a template or a concatenation of both.
 *
 * @param node Any node.
 * @param gap What stands for each expression in a template; its own text is given.
 * @returns The text; null where the node is none of these.
 */
export function textOf(node: Node, gap: (expression: Node) => string): string | null {
  if (node.type === "Literal") return typeof node["value"] === "string" ? node["value"] : null;
  if (node.type === "TemplateLiteral") {
    const gaps: string[] = node["expressions"].map(gap);
    const parts: string[] = node["quasis"].map(({ cooked }: Node) => cooked);
    return parts.map((part, index) => part + (gaps[index] ?? "")).join("");
  }
  if (node.type !== "BinaryExpression" || node["operator"] !== "+") return null;
  const [left, right] = [textOf(node["left"], gap), textOf(node["right"], gap)];
  return left === null && right === null
    ? null
    : `${left ?? gap(node["left"])}${right ?? gap(node["right"])}`;
}

/**
 * Returns the declaration of the module that a node is in.
 *
 * @param node Any node.
 * @returns Its name, its value and whether it is exported; "" for a statement without a name.
 */
export function declarationOf(node: Node): { name: string; value: Node | null; exported: boolean } {
  let at = node;
  let [name, value]: [string, Node | null] = ["", null];
  while (at.type !== "Program" && at.parent !== undefined) {
    if (at.type === "VariableDeclarator") [name, value] = [at["id"].name ?? "", at["init"]];
    if (at.type === "FunctionDeclaration") [name, value] = [at["id"]?.name ?? "", null];
    if (at.parent.type === "Program") break;
    at = at.parent;
  }
  return { name, value, exported: at.type === "ExportNamedDeclaration" };
}
