import fc from 'fast-check'
import type { EntryName, LabelList } from '../../../src/storage/index.ts'

/**
 * What an operator or the sink does to a store. Indexes choose among what is there at the time: `pick` counts through
 * the records of the entry, round and round.
 */
export type Command =
  | {
      readonly kind: 'write'
      readonly entry: number
      readonly times: readonly number[]
      readonly large: boolean
    }
  | {
      readonly kind: 'labels'
      readonly entry: number
      readonly picks: readonly number[]
      readonly isRemoval: boolean
    }
  | { readonly kind: 'remove'; readonly entry: number; readonly picks: readonly number[] }
  | { readonly kind: 'removeRange'; readonly entry: number; readonly from: number; readonly count: number }
  | { readonly kind: 'fold' | 'checkpoint' | 'settle' | 'pass' | 'restart' }
  /** The commands in it run at once. */
  | { readonly kind: 'together'; readonly commands: readonly Command[] }

export const entries: readonly EntryName[] = [
  { bucket: 'one', entry: 'a' },
  { bucket: 'one', entry: 'a/b' },
]

const entry = fc.nat(entries.length - 1)
const picks = fc.array(fc.nat(30), { minLength: 1, maxLength: 5 })

const write = fc.record({
  kind: fc.constant('write' as const),
  entry,
  times: fc.array(fc.nat(12), { minLength: 1, maxLength: 6 }),
  large: fc.boolean(),
})
const change = fc.oneof(
  fc.record({ kind: fc.constant('labels' as const), entry, picks, isRemoval: fc.boolean() }),
  fc.record({ kind: fc.constant('remove' as const), entry, picks }),
  fc.record({
    kind: fc.constant('removeRange' as const),
    entry,
    from: fc.nat(30),
    count: fc.integer({ min: 1, max: 12 }),
  }),
)
const upkeep = fc.record({
  kind: fc.constantFrom(
    'fold' as const,
    'checkpoint' as const,
    'settle' as const,
    'pass' as const,
    'restart' as const,
  ),
})
const together = fc.record({
  kind: fc.constant('together' as const),
  commands: fc.array(fc.oneof(write, change), { minLength: 2, maxLength: 3 }),
})

/** Begins with records, so that there is something to change. */
export const script: fc.Arbitrary<Command[]> = fc
  .tuple(
    write,
    fc.array(
      fc.oneof(
        { arbitrary: write, weight: 4 },
        { arbitrary: change, weight: 6 },
        { arbitrary: upkeep, weight: 3 },
        { arbitrary: together, weight: 2 },
      ),
      { minLength: 2, maxLength: 9 },
    ),
  )
  .map(([first, rest]) => [first, ...rest])

export function labelled(labels: LabelList): Map<string, string> {
  const values = new Map<string, string>()
  for (let index = 0; index < labels.length; index += 2)
    values.set(labels[index] as string, labels[index + 1] as string)
  return values
}
