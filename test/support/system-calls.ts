/** One call of a trace by `strace -f -y`, with the lines at which it began and ended: its place in the order. */
export interface SystemCall {
  readonly name: string
  /** Of the descriptor, or the first argument. */
  readonly path: string
  /** The second argument of `rename`. */
  readonly toPath: string
  /** Of a positioned write. */
  readonly atBytes: number
  readonly result: number
  readonly fromLine: number
  readonly toLine: number
}

const START = /^(\d+) +([a-z0-9_]+)\((.*)$/
const RESUMED = /^(\d+) +<\.\.\. ([a-z0-9_]+) resumed>(.*)$/

/** Calls in the order of their ends; a call that never returned is left out. */
export function parseTrace(text: string): SystemCall[] {
  const calls: SystemCall[] = []
  const unfinished = new Map<string, { line: number; text: string }>()
  for (const [line, whole] of text.split('\n').entries()) {
    const resumed = RESUMED.exec(whole)
    if (resumed !== null) {
      const [, thread, name, rest] = resumed as unknown as [string, string, string, string]
      const begun = unfinished.get(thread)
      unfinished.delete(thread)
      if (begun !== undefined) calls.push(parseCall(name, begun.text + rest, begun.line, line))
      continue
    }
    const start = START.exec(whole)
    if (start === null) continue
    const [, thread, name, rest] = start as unknown as [string, string, string, string]
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(thread, { line, text: rest.slice(0, -'<unfinished ...>'.length) })
    } else {
      calls.push(parseCall(name, rest, line, line))
    }
  }
  return calls
}

function parseCall(name: string, text: string, fromLine: number, toLine: number): SystemCall {
  const paths = [...text.matchAll(/^\d+<([^>]*)>|"([^"]*)"/g)].map(
    ([, descriptor, name]) => descriptor ?? name,
  )
  return {
    name,
    path: paths[0] ?? '',
    toPath: paths[1] ?? '',
    atBytes: Number(/, (\d+) *\) += /.exec(text)?.[1] ?? -1),
    result: Number(/\) += (-?\d+)/.exec(text)?.[1] ?? -1),
    fromLine,
    toLine,
  }
}
