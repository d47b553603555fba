/**
 * The candidate that was probably meant: the one with the same last part, else the one with the fewest typing errors,
 * `undefined` when nothing is near.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase()
  const sameEnd = candidates.filter((candidate) => lastPart(candidate.toLowerCase()) === lastPart(wanted))
  const pool = sameEnd.length > 0 ? sameEnd : candidates
  const ranked = pool
    .map((candidate) => ({ candidate, errors: typingErrors(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.errors - b.errors)
  const best = ranked[0]
  if (!best) return undefined
  return sameEnd.length > 0 || best.errors <= Math.max(2, wanted.length / 4) ? best.candidate : undefined
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

/** Inserted, missing and wrong characters (Levenshtein). */
function typingErrors(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1]
      current[column] = Math.min(
        (previous[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (previous[column - 1] as number) + (isSame ? 0 : 1),
      )
    }
    previous = current
  }
  return previous[right.length] as number
}
