/** Returns rows of cells as aligned columns below a line of headings. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return formatRows([head, ...rows]);
}

/** Returns rows of cells as aligned columns. */
export function formatRows(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0)
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd();
  return rows.map((row) => line(row) + "\n").join("");
}
