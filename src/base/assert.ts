/** For our own mistakes only: bad input and bad disks are errors with a code, never assertions. */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${why}`)
}
