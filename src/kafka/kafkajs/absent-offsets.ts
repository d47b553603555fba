import type { AbsentOffsets, SourceRecord } from '../source.ts'

/** What a fetch brought, in the order of offsets. */
export interface LookedAt {
  readonly fromOffset: number
  readonly nextOffset: number
  readonly records: readonly SourceRecord[]
  /** Ranges whose records are not for us. */
  readonly skipped: readonly AbsentOffsets[]
}

const NONE: readonly AbsentOffsets[] = []

/**
 * Every offset from `fromOffset` up to `nextOffset` that has no record, with why: skipped, or else `missing` from the
 * log. Ascending; ranges that touch for the same reason are one.
 */
export function absentOffsets({
  fromOffset,
  nextOffset,
  records,
  skipped,
}: LookedAt): readonly AbsentOffsets[] {
  if (records.length === nextOffset - fromOffset) return NONE
  const absent: AbsentOffsets[] = []
  const note = (why: AbsentOffsets['why'], from: number, next: number): void => {
    const last = absent.at(-1)
    if (last?.why === why && last.nextOffset === from)
      absent[absent.length - 1] = { ...last, nextOffset: next }
    else absent.push({ why, fromOffset: from, nextOffset: next })
  }
  let index = 0
  const explain = (from: number, next: number): void => {
    for (let position = from; position < next;) {
      while (index < skipped.length && skipped[index]!.nextOffset <= position) index++
      const range = skipped[index]
      const begin = Math.min(range?.fromOffset ?? next, next)
      if (position < begin) note('missing', position, begin)
      if (range === undefined || begin === next) return
      const end = Math.min(range.nextOffset, next)
      note(range.why, Math.max(position, begin), end)
      position = end
    }
  }
  let position = fromOffset
  for (const { offset } of records) {
    if (offset > position) explain(position, offset)
    position = offset + 1
  }
  explain(position, nextOffset)
  return absent
}
