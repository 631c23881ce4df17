/** Columns side by side, each as wide as its longest cell, for people at a terminal. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Names and notes come from people and from PBXes: one with an escape sequence in it must not steer the terminal. */
export const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ')
