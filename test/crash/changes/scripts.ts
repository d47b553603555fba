import fc from 'fast-check'
import { buckets, entries, paths, type Command } from './commands.ts'

const entry = fc.oneof(
  { arbitrary: fc.nat(1), weight: 4 },
  { arbitrary: fc.constant(entries.length - 1), weight: 1 },
)
const pick = fc.nat(30)
const picks = fc.array(pick, { minLength: 1, maxLength: 5 })

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
    from: pick,
    count: fc.integer({ min: 1, max: 12 }),
  }),
)
const read = fc.record({ kind: fc.constant('read' as const), entry, pick })
const readOn = fc.constant<Command>({ kind: 'readOn' })
const refill = fc.constant<Command>({ kind: 'refill' })
const upkeep = fc.record({
  kind: fc.constantFrom(
    'fold' as const,
    'checkpoint' as const,
    'settle' as const,
    'pass' as const,
    'restart' as const,
  ),
})
const begin = fc.record({
  kind: fc.constant('begin' as const),
  entry,
  time: fc.nat(12),
  contentBytes: fc.nat(900),
})
const upload = fc.record({
  kind: fc.constantFrom('piece' as const, 'piece' as const, 'finish' as const, 'finish' as const),
  pick,
})
const failedUpload = fc.record({ kind: fc.constantFrom('abort' as const, 'beginAgain' as const), pick })
const settings = fc.record({
  kind: fc.constant('settings' as const),
  bucket: fc.nat(1),
  quota: fc.constantFrom('none' as const, 'fifo' as const, 'fifo' as const, 'fifo' as const, 'hard' as const),
  quotaBytes: fc.integer({ min: 500, max: 2_500 }),
  blockRecordsMax: fc.integer({ min: 1, max: 4 }),
})
const move = fc.oneof(
  fc.record({ kind: fc.constant('renameEntry' as const), pick, to: fc.nat(paths.length - 1) }),
  fc.record({ kind: fc.constant('renameEntry' as const), pick, to: fc.nat(paths.length - 1) }),
  fc.record({ kind: fc.constant('removeEntry' as const), pick }),
  fc.record({ kind: fc.constant('renameBucket' as const), pick, to: fc.nat(buckets.length - 1) }),
  fc.record({ kind: fc.constant('removeBucket' as const), pick }),
)
const together = fc.record({
  kind: fc.constant('together' as const),
  commands: fc.array(fc.oneof(write, change, begin, upload), { minLength: 2, maxLength: 3 }),
})

/**
 * Everything of an entry goes, also while it is read; then the same times, or a checkpoint: what a power cut may bring
 * back.
 */
const clearing = fc
  .tuple(entry, fc.option(pick), fc.constantFrom<Command>({ kind: 'refill' }, { kind: 'checkpoint' }))
  .map(([of, opened, next]): Command[] => [
    ...(opened === null ? [] : [{ kind: 'read' as const, entry: of, pick: opened }]),
    { kind: 'removeRange', entry: of, from: 0, count: 30 },
    next,
  ])

/** Late records take a block over its limits, and it is split. */
const splitting = fc
  .tuple(fc.nat(1), fc.subarray([1, 2, 3, 4, 5], { minLength: 2 }))
  .map(([of, late]): Command[] => [
    { kind: 'write', entry: of, times: [0, 6, 12], large: false },
    { kind: 'write', entry: of, times: late, large: false },
    { kind: 'settle' },
  ])

/** An entry goes, and another one like it takes its place: nothing that was remembered of the first may be shown. */
const replacing = fc
  .tuple(
    write,
    fc.oneof(
      fc.record({ kind: fc.constant('removeEntry' as const), pick: fc.nat(2) }),
      fc.record({ kind: fc.constant('renameEntry' as const), pick: fc.nat(2), to: fc.nat(paths.length - 1) }),
    ),
    pick,
  )
  .map(([written, gone, opened]): Command[] => [
    written,
    { kind: 'read', entry: written.entry, pick: opened },
    gone,
    written,
    { kind: 'read', entry: written.entry, pick: opened },
  ])

interface Weighted {
  readonly arbitrary: fc.Arbitrary<Command | Command[]>
  readonly weight: number
}

/** Begins with `first`, so that there is something to change. */
function about(
  first: readonly fc.Arbitrary<Command>[],
  commandsMax: number,
  ...drawn: readonly Weighted[]
): fc.Arbitrary<Command[]> {
  const rest = fc.array(fc.oneof(...drawn), { minLength: 2, maxLength: commandsMax })
  return fc.tuple(fc.tuple(...first), rest).map(([begun, more]) => [...begun, ...more.flat()])
}

const changes = about(
  [write],
  9,
  { arbitrary: write, weight: 4 },
  { arbitrary: change, weight: 5 },
  { arbitrary: refill, weight: 1 },
  { arbitrary: read, weight: 1 },
  { arbitrary: readOn, weight: 1 },
  { arbitrary: clearing, weight: 2 },
  { arbitrary: splitting, weight: 2 },
  { arbitrary: upkeep, weight: 3 },
  { arbitrary: together, weight: 2 },
)
const quotas = about(
  [settings, write],
  9,
  { arbitrary: read, weight: 1 },
  { arbitrary: write, weight: 8 },
  { arbitrary: change, weight: 2 },
  { arbitrary: settings, weight: 2 },
  { arbitrary: begin, weight: 1 },
  { arbitrary: upload, weight: 1 },
  { arbitrary: upkeep, weight: 3 },
  { arbitrary: together, weight: 2 },
)
const moves = about(
  [write, write],
  8,
  { arbitrary: write, weight: 4 },
  { arbitrary: move, weight: 6 },
  { arbitrary: replacing, weight: 2 },
  { arbitrary: change, weight: 1 },
  { arbitrary: begin, weight: 1 },
  { arbitrary: upkeep, weight: 2 },
)
const uploads = about(
  [write, begin],
  10,
  { arbitrary: write, weight: 3 },
  { arbitrary: begin, weight: 4 },
  { arbitrary: upload, weight: 8 },
  { arbitrary: failedUpload, weight: 3 },
  { arbitrary: change, weight: 2 },
  { arbitrary: upkeep, weight: 3 },
  { arbitrary: together, weight: 2 },
)

/** What a store goes through. */
export const script: fc.Arbitrary<Command[]> = fc.oneof(changes, quotas, moves, uploads)
