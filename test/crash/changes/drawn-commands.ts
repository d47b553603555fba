import fc from 'fast-check'
import { buckets, entries, inDirectory, paths, type Command } from './commands.ts'

// Single commands, drawn at random: scripts.ts puts them in order.

export const entry = fc.oneof(
  { arbitrary: fc.nat(1), weight: 4 },
  { arbitrary: fc.constant(entries.indexOf(inDirectory)), weight: 1 },
)
export const pick = fc.nat(30)
export const picks = fc.array(pick, { minLength: 1, maxLength: 5 })

export const write = fc.record({
  kind: fc.constant('write' as const),
  entry,
  times: fc.array(fc.nat(12), { minLength: 1, maxLength: 6 }),
  large: fc.boolean(),
})
export const change = fc.oneof(
  fc.record({ kind: fc.constant('labels' as const), entry, picks, isRemoval: fc.boolean() }),
  fc.record({ kind: fc.constant('remove' as const), entry, picks }),
  fc.record({
    kind: fc.constant('removeRange' as const),
    entry,
    from: pick,
    count: fc.integer({ min: 1, max: 12 }),
  }),
)
export const writeDirect = fc.record({
  kind: fc.constant('writeDirect' as const),
  entry,
  times: fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }),
})
export const checksums = fc.constant<Command>({ kind: 'checksums' })
export const visit = fc.constant<Command>({ kind: 'visit' })
export const read = fc.record({ kind: fc.constant('read' as const), entry, pick })
export const readOn = fc.constant<Command>({ kind: 'readOn' })
export const refill = fc.constant<Command>({ kind: 'refill' })
export const upkeep = fc.record({
  kind: fc.constantFrom(
    'fold' as const,
    'checkpoint' as const,
    'settle' as const,
    'pass' as const,
    'restart' as const,
  ),
})
export const begin = fc.record({
  kind: fc.constant('begin' as const),
  entry,
  time: fc.nat(12),
  contentBytes: fc.nat(900),
})
export const upload = fc.record({
  kind: fc.constantFrom('piece' as const, 'piece' as const, 'finish' as const, 'finish' as const),
  pick,
})
export const failedUpload = fc.record({
  kind: fc.constantFrom('abort' as const, 'beginAgain' as const),
  pick,
})
export const attach = fc.record({
  kind: fc.constant('attach' as const),
  entry,
  key: fc.nat(1),
  contentBytes: fc.nat(300),
})
export const settings = fc.record({
  kind: fc.constant('settings' as const),
  bucket: fc.nat(1),
  quota: fc.constantFrom('none' as const, 'fifo' as const, 'fifo' as const, 'fifo' as const, 'hard' as const),
  quotaBytes: fc.integer({ min: 500, max: 2_500 }),
  blockRecordsMax: fc.integer({ min: 1, max: 4 }),
})
export const move = fc.oneof(
  fc.record({ kind: fc.constant('renameEntry' as const), pick, to: fc.nat(paths.length - 1) }),
  fc.record({ kind: fc.constant('renameEntry' as const), pick, to: fc.nat(paths.length - 1) }),
  fc.record({ kind: fc.constant('removeEntry' as const), pick }),
  fc.record({ kind: fc.constant('renameBucket' as const), pick, to: fc.nat(buckets.length - 1) }),
  fc.record({ kind: fc.constant('removeBucket' as const), pick }),
)
export const fold = fc.constant<Command>({ kind: 'fold' })
/** From all at once to one after the other; most frames are carried out within it. */
export const lag = fc.oneof(fc.constant(0), fc.nat(80))
export const together = fc.record({
  kind: fc.constant('together' as const),
  commands: fc.array(fc.oneof(write, change, begin, upload, fold), { minLength: 2, maxLength: 3 }),
  lag,
})
