import fc from 'fast-check'
import { entries, inDirectory, paths, type Command } from './commands.ts'
import {
  attach,
  begin,
  change,
  checksums,
  entry,
  failedUpload,
  fold,
  lag,
  move,
  pick,
  picks,
  read,
  readOn,
  refill,
  settings,
  together,
  upkeep,
  upload,
  visit,
  write,
  writeDirect,
} from './drawn-commands.ts'

/** A frame for several blocks is carried out, and meanwhile records of one of these are changed. */
const overtaking = fc
  .tuple(
    fc.nat(1),
    fc.array(fc.nat(12), { minLength: 3, maxLength: 6 }),
    fc.boolean(),
    picks,
    fc.constantFrom('remove' as const, 'remove' as const, 'labels' as const),
    fc.integer({ min: 5, max: 60 }),
  )
  .map(([of, times, large, chosen, kind, behind]): Command[] => {
    const begun: Command = { kind: 'write', entry: of, times: times.slice(0, 2), large: false }
    const written: Command = { kind: 'write', entry: of, times, large }
    const changed: Command = { kind, entry: of, picks: chosen, isRemoval: false }
    return [begun, { kind: 'together', commands: [written, changed], lag: behind }]
  })

const settle: Command = { kind: 'settle' }
const checkpoint: Command = { kind: 'checkpoint' }

/**
 * Everything of an entry goes, also while it is read; then the same times, or a checkpoint: what a power cut may bring
 * back, most of all when nothing else has changed in the directory.
 */
const clearing = fc
  .tuple(
    entry,
    fc.option(pick),
    fc.constantFrom<{ before: Command[]; next: Command }>(
      { before: [], next: { kind: 'refill' } },
      { before: [], next: checkpoint },
      { before: [settle], next: checkpoint },
      { before: [settle], next: checkpoint },
    ),
    fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }),
  )
  .map(([of, opened, { before, next }, times]): Command[] => [
    ...before.flatMap((one): Command[] => [{ kind: 'write', entry: of, times, large: false }, one]),
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

/** Blocks that are split share a frame: two of one entry, or of two entries. */
const splittingTogether = fc
  .tuple(fc.nat(1), fc.boolean(), fc.subarray([1, 3, 7, 9], { minLength: 3 }))
  .map(([of, isOneEntry, late]): Command[] => {
    const filling = (entryAt: number, times: number[]): Command[] => [
      { kind: 'write', entry: entryAt, times, large: false },
      { kind: 'write', entry: entryAt, times: late, large: false },
    ]
    const filled = isOneEntry
      ? filling(of, [0, 2, 4, 6, 8, 10])
      : [...filling(0, [0, 6, 12]), ...filling(1, [0, 6, 12])]
    return [...filled, { kind: 'settle' }]
  })

/**
 * A block goes and its times are written anew, again and again, before a checkpoint covers any of it: what the log says of
 * the first one must not reach the next.
 */
const refilling = fc
  .tuple(fc.nat(1), fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }), fc.array(fold, { maxLength: 1 }))
  .map(([of, times, folds]): Command[] => [
    { kind: 'write', entry: of, times, large: false },
    { kind: 'removeRange', entry: of, from: 0, count: 30 },
    { kind: 'refill' },
    ...folds,
    { kind: 'removeRange', entry: of, from: 0, count: 30 },
    { kind: 'refill' },
    ...folds,
  ])

/**
 * The first entry of a store goes while its block is open and was read, and one of the same time and length comes to its
 * place: ids have one digit.
 */
const reappearing = fc
  .tuple(
    entry,
    fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    fc.oneof(
      fc.record({ kind: fc.constant('removeEntry' as const), pick }),
      fc.record({ kind: fc.constant('removeBucket' as const), pick }),
      fc.record({ kind: fc.constant('renameEntry' as const), pick, to: fc.nat(paths.length - 1) }),
    ),
  )
  .map(([of, times, large, gone]): Command[] => {
    const written: Command = { kind: 'write', entry: of, times, large }
    const opened: Command = { kind: 'read', entry: of, pick: 0 }
    return [written, opened, gone, written, opened]
  })

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

/** An attachment takes the place of another one. */
const attaching = fc
  .tuple(attach, fc.nat(300), fc.option(upkeep))
  .map(([first, contentBytes, between]): Command[] => [
    first,
    { kind: 'finish', pick: 0 },
    ...(between === null ? [] : [between]),
    { ...first, contentBytes },
    { kind: 'finish', pick: 0 },
  ])

/** Its WALs are gone, and not durably. */
const relabelled = (of: number, chosen: readonly number[]): Command[] => [
  { kind: 'labels', entry: of, picks: chosen, isRemoval: false },
  { kind: 'fold' },
]

/** CRC-32s come again, while something else changes the same blocks. */
const checking = fc
  .tuple(write, fc.option(picks), fc.array(fc.oneof(change, write), { maxLength: 2 }), lag)
  .map(([written, labelled, changed, behind]): Command[] => [
    written,
    { kind: 'visit' },
    ...(labelled === null ? [] : relabelled(written.entry, labelled)),
    changed.length === 0
      ? { kind: 'checksums' }
      : { kind: 'together', commands: [{ kind: 'checksums' }, ...changed], lag: behind },
    { kind: 'checksums' },
  ])

/** Large content goes into a block that is open: a visit that has not seen its frame cuts it off. */
const cutting = fc
  .tuple(fc.nat(1), fc.nat(6), fc.nat(1), fc.integer({ min: 1, max: 2 }))
  .map(([of, from, begun, count]): Command[] => {
    const times = [0, 1, 2, 3].map((seconds) => from + seconds)
    return [
      { kind: 'write', entry: of, times: times.slice(0, 1 + begun), large: false },
      { kind: 'writeDirect', entry: of, times: times.slice(2, 2 + count) },
    ]
  })

interface Weighted {
  readonly arbitrary: fc.Arbitrary<Command | Command[]>
  readonly weight: number
}

/** Begins with `first`, so that there is something to change. */
function about(
  first: readonly fc.Arbitrary<Command | Command[]>[],
  commandsMax: number,
  ...drawn: readonly Weighted[]
): fc.Arbitrary<Command[]> {
  const rest = fc.array(fc.oneof(...drawn), { minLength: 2, maxLength: commandsMax })
  return fc.tuple(fc.tuple(...first), rest).map(([begun, more]) => [...begun.flat(), ...more.flat()])
}

const changes = about(
  [write],
  9,
  { arbitrary: write, weight: 4 },
  { arbitrary: change, weight: 5 },
  { arbitrary: refill, weight: 1 },
  { arbitrary: read, weight: 1 },
  { arbitrary: readOn, weight: 1 },
  { arbitrary: clearing, weight: 3 },
  { arbitrary: splitting, weight: 2 },
  { arbitrary: splittingTogether, weight: 2 },
  { arbitrary: refilling, weight: 1 },
  { arbitrary: overtaking, weight: 3 },
  { arbitrary: upkeep, weight: 3 },
  { arbitrary: together, weight: 2 },
)
/** A block that the log has in part goes for what comes after it, but not while content is uploaded into it. */
const evicting = fc
  .tuple(fc.nat(1), fc.integer({ min: 1_200, max: 2_500 }), fc.constantFrom(checkpoint, settle), fc.boolean())
  .map(([of, quotaBytes, between, isUploading]): Command[] => [
    { kind: 'settings', bucket: 0, quota: 'fifo', quotaBytes, blockRecordsMax: 4 },
    ...(isUploading ? [{ kind: 'begin' as const, entry: of, time: 0, contentBytes: 50 }] : []),
    { kind: 'write', entry: of, times: [0, 1], large: false },
    between,
    { kind: 'write', entry: of, times: [2], large: false },
    ...[4, 7, 10].map((from): Command => ({
      kind: 'write',
      entry: of,
      times: [from, from + 1, from + 2],
      large: true,
    })),
    ...(isUploading ? [{ kind: 'finish' as const, pick: 0 }] : []),
  ])
const quotas = about(
  [settings, write],
  9,
  { arbitrary: read, weight: 1 },
  { arbitrary: evicting, weight: 2 },
  { arbitrary: write, weight: 8 },
  { arbitrary: change, weight: 2 },
  { arbitrary: settings, weight: 2 },
  { arbitrary: begin, weight: 1 },
  { arbitrary: upload, weight: 1 },
  { arbitrary: upkeep, weight: 3 },
  { arbitrary: together, weight: 2 },
)
/** An entry leaves a directory empty that is none, and another one after it. */
const leaving = fc
  .tuple(fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([times, isRemoved]): Command[] => [
    { kind: 'write', entry: entries.indexOf(inDirectory), times, large: false },
    { kind: 'renameEntry', pick: 1, to: paths.indexOf('e/f/g') },
    isRemoved ? { kind: 'removeEntry', pick: 2 } : { kind: 'renameEntry', pick: 2, to: paths.indexOf('c/d') },
  ])

const moves = about(
  [fc.oneof(reappearing, leaving, write), write],
  8,
  { arbitrary: write, weight: 4 },
  { arbitrary: move, weight: 6 },
  { arbitrary: replacing, weight: 2 },
  { arbitrary: attaching, weight: 1 },
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
  { arbitrary: attach, weight: 1 },
  { arbitrary: attaching, weight: 2 },
  { arbitrary: change, weight: 2 },
  { arbitrary: upkeep, weight: 3 },
  { arbitrary: together, weight: 2 },
)

const visits = about(
  [write],
  7,
  { arbitrary: write, weight: 3 },
  { arbitrary: writeDirect, weight: 2 },
  { arbitrary: cutting, weight: 4 },
  { arbitrary: change, weight: 2 },
  { arbitrary: visit, weight: 1 },
  { arbitrary: checksums, weight: 2 },
  { arbitrary: checking, weight: 4 },
  { arbitrary: upkeep, weight: 2 },
)

/** What a store goes through. */
export const script: fc.Arbitrary<Command[]> = fc.oneof(
  { arbitrary: changes, weight: 5 },
  { arbitrary: quotas, weight: 4 },
  { arbitrary: moves, weight: 4 },
  { arbitrary: uploads, weight: 4 },
  { arbitrary: visits, weight: 3 },
)
