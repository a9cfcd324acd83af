/** Writes text and Markdown in the macros of man(7). */

/** The widest line of the source, in bytes. */
const WIDTH = 78;

/** Escapes what roff would take for its own. */
export function escapeRoff(text: string): string {
  const special: Readonly<Record<string, string>> = {
    "\\": "\\e",
    "-": "\\-",
    "~": "\\(ti",
    "^": "\\(ha",
    "`": "\\(ga",
    "'": "\\(aq",
  };
  return text.replace(/[\\~^`'-]/g, (one) => special[one]!)
    .replace(/\P{ASCII}/gu, (one) => {
      const code = one.codePointAt(0)!.toString(16).toUpperCase();
      return `\\[u${code.padStart(4, "0")}]`;
    });
}

/** A line of text must not begin as a macro does. */
function textLine(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Returns Markdown without blocks as lines of text: each sentence begins on its own. */
export function roffText(markdown: string): string[] {
  const onOneLine = markdown.replace(/\s+/g, " ").trim();
  return onOneLine.split(/(?<=[.?!]\)?) (?=[A-Z`"\[])/).flatMap((sentence) =>
    wrapped(inline(sentence))
  );
}

/** Code becomes bold; of a link its text remains. */
function inline(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)\s]+\)/g, "$1")
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .map((part, index) =>
      index % 2 === 0
        ? escapeRoff(part)
        : `\\fB${escapeRoff(part.replace(/^(`|\*\*)|(`|\*\*)$/g, ""))}\\fR`
    ).join("");
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map(textLine);
}

/** Returns lines of an example, as they are. */
export function roffExample(lines: readonly string[]): string[] {
  const body = lines.map((line) => textLine(escapeRoff(line)));
  return [".RS 4", ".EX", ...body, ".EE", ".RE"];
}

/** Returns a term with its explanation. */
export function roffTerm(term: string, explanation: readonly string[]): string[] {
  return [".TP", textLine(term), ...explanation];
}

/** Returns a word in bold. */
export function bold(text: string): string {
  return `\\fB${escapeRoff(text)}\\fR`;
}

/** Returns the head of a section. */
export function heading(title: string): string {
  return `.SH "${escapeRoff(title.toUpperCase())}"`;
}

/** A row of a table by its cells. */
export type RowFormat = (cells: readonly string[]) => string[];

/** Returns a Markdown page as sections; its tables are formatted row by row, without the first. */
export function roffPage(markdown: string, row: RowFormat): string[] {
  const state: ListState = { indent: 0 };
  return markdown.replace(/<!--.*?-->/g, "").split(/\n{2,}/)
    .flatMap((block) => blockLines(block.replace(/^\n+|\s+$/g, ""), row, state));
}

/** How far the text of the last list item is indented; 0 outside of lists. */
interface ListState {
  indent: number;
}

const ITEM = /^(- |\d+\. )/;

function blockLines(block: string, row: RowFormat, state: ListState): string[] {
  if (block === "") return [];
  const lines = block.split("\n");
  const indent = /^ */.exec(block)![0].length;
  if (indent >= state.indent + 4) {
    return [".PP", ...roffExample(lines.map((line) => line.slice(state.indent + 4)))]
      .slice(state.indent === 0 ? 0 : 1);
  }
  if (indent > 0) return [".IP", ...roffText(block)];
  state.indent = 0;
  if (block.startsWith("#")) return [heading(block.replace(/^#+ /, ""))];
  if (block.startsWith("|")) {
    return lines.slice(2).flatMap((line) => row(line.split(/ *\| */).slice(1, -1)));
  }
  const marker = ITEM.exec(block)?.[1];
  if (marker === undefined) return [".PP", ...roffText(block)];
  state.indent = marker.length;
  return block.split(/\n(?=- |\d+\. )/).flatMap((item) => {
    const own = ITEM.exec(item)![1]!;
    const sign = own === "- " ? "\\(bu" : own.trim();
    return [`.IP ${sign} ${own.length}`, ...roffText(item.slice(own.length))];
  });
}
