/** Finds keys in the text of a YAML file. */

/**
 * Returns the line, from 1, of the last of the nested keys that can be found; undefined where not even the first is there.
 * A number is the index in a list. Only block style is known, which is enough for the lines of messages.
 */
export function lineOf(text: string, keys: readonly string[]): number | undefined {
  const lines = text.split("\n").map((line) => /^\s*(?:#|$)/.test(line) ? "" : line);
  let block: readonly [from: number, to: number] = [0, lines.length];
  let found: number | undefined;
  for (const key of keys) {
    const child = childOf(lines, block, key);
    if (child === undefined) break;
    found = child;
    block = blockBelow(lines, child, block[1]);
  }
  return found === undefined ? undefined : found + 1;
}

/** Returns the index of the line of a key, or of an item of a list. */
function childOf(
  lines: readonly string[],
  [from, to]: readonly [number, number],
  key: string,
): number | undefined {
  const indexes = lines.keys().filter((at) => at >= from && at < to && lines[at] !== "").toArray();
  const first = lines[indexes[0] ?? to] ?? "";
  const children = indexes.filter((at) => indentationOf(lines[at]!) === indentationOf(first));
  if (isItem(first)) return /^\d+$/.test(key) ? children[Number(key)] : undefined;
  return children.find((at) => keyOf(lines[at]!) === key);
}

/** Returns the lines that belong to a key or an item, and makes the first key of an item one of its lines. */
function blockBelow(lines: string[], at: number, end: number): readonly [number, number] {
  const indentation = indentationOf(lines[at]!);
  const isOfList = isItem(lines[at]!);
  const isOutside = (line: string) => {
    if (line === "" || indentationOf(line) > indentation) return false;
    // A list may have the indentation of its key.
    return isOfList || indentationOf(line) < indentation || !isItem(line);
  };
  const next = lines.findIndex((line, index) => index > at && index < end && isOutside(line));
  if (isOfList) lines[at] = lines[at]!.replace("-", " ");
  return [isOfList ? at : at + 1, next === -1 ? end : next];
}

function keyOf(line: string): string | undefined {
  const [, , key] = line.match(/^\s*(["']?)(.*?)\1\s*:(?:\s|$)/) ?? [];
  return key;
}

function isItem(line: string): boolean {
  return /^\s*-\s/.test(line);
}

function indentationOf(line: string): number {
  return line.search(/\S|$/);
}
