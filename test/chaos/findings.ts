const SHOWN_MAX = 10

/** What was found: figures, and which promises were kept. */
export class Findings {
  readonly rows: (readonly [what: string, found: string])[] = []
  readonly kept: string[] = []
  /** With what shows it. */
  readonly broken: string[] = []

  row(what: string, found: string | number): void {
    this.rows.push([what, String(found)])
  }

  promise(isKept: boolean, what: string, shown: readonly string[] = []): void {
    if (isKept) this.kept.push(what)
    else this.broken.push([what, ...shown.slice(0, SHOWN_MAX)].join('\n    '))
  }
}
