export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
  /** At least so wide; for a table that is formatted in pieces. */
  readonly width?: number
}

/** Lines of a table in plain text, titles first; no line has blanks at its end. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map(({ width = 0 }, index) =>
    all.reduce((most, row) => Math.max(most, row[index]?.length ?? 0), width),
  )
  return all.map((row) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? ''
        const width = widths[index] ?? 0
        return align === 'right' ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
