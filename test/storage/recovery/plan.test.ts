import { describe, expect, test } from '@jest/globals'
import type { CheckpointBlock } from '../../../src/storage/commitlog/log-file.ts'
import type { BlockFacts, LoggedItem } from '../../../src/storage/recovery/facts.ts'
import { planBlock, salvageBlock } from '../../../src/storage/recovery/plan.ts'

const name = { bucket: 'kafka', entry: 'topic/0', blockId: 1_000 }
const CHECKPOINT = 10

/** A frame's part for the block: `walAtBytes` 0 begins its WAL. */
function item(sequence: number, walAtBytes: number, walBytes: number, baseCrc64?: bigint): LoggedItem {
  return {
    block: name,
    sequence,
    walAtBytes,
    baseCrc64,
    blkAtBytes: 0,
    direct: false,
    logPath: '/data/.sediment/log/1.log',
    entriesInLogBytes: 0,
    entriesBytes: walBytes,
    entriesCrc32: 0,
    contentInLogBytes: 0,
    contentBytes: 0,
    recordCount: 1,
  }
}

type Descriptor = BlockFacts['descriptor']
const missing: Descriptor = { state: 'missing' }
const read = (facts: Partial<Extract<Descriptor, { state: 'read' }>> = {}): Descriptor => ({
  state: 'read',
  crc64: 1n,
  recordCount: 2,
  lastFrame: 5,
  holdsFrames: false,
  ...facts,
})
const wal = (validEndBytes: number, endsWithMarker = true) => ({
  validEndBytes,
  endsWithMarker,
  isOurs: true,
  isTheirs: false,
})
const open = (facts: Partial<CheckpointBlock> = {}): CheckpointBlock => ({
  ...name,
  walBytes: 100,
  blkEndBytes: 0,
  recordCount: 2,
  baseCrc64: 1n,
  isFolding: false,
  ...facts,
})

interface Picture {
  readonly checkpointed?: CheckpointBlock
  readonly items?: readonly LoggedItem[]
  readonly wal?: BlockFacts['wal']
  readonly descriptor?: Descriptor
  readonly isRemoved?: boolean
  readonly isClosed?: boolean
}

const plan = ({ items = [], wal: found, descriptor = missing, ...picture }: Picture) =>
  planBlock({
    ...name,
    checkpointed: picture.checkpointed,
    checkpointSequence: CHECKPOINT,
    change: undefined,
    items,
    wal: found,
    isGone: picture.isRemoved ?? false,
    isClosed: picture.isClosed ?? false,
    descriptor,
  })

const first = item(11, 0, 40)
const second = item(12, 40, 30)
const third = item(13, 100, 30)
const begun = item(11, 0, 40, 1n)

describe('a block that the log begins is written afresh from its frames', () => {
  test.each<[string, Picture]>([
    ['nothing of it is there', { items: [first, second] }],
    ['its WAL is whole', { items: [first, second], wal: wal(70) }],
    ['its WAL is torn', { items: [first, second], wal: wal(40, false) }],
    [
      'an older WAL is there still, longer than the new one',
      { items: [begun], wal: wal(500), descriptor: read() },
    ],
    ['its cold descriptor is there, unchanged', { items: [begun], descriptor: read() }],
    [
      'a fold was interrupted before its WAL went',
      { items: [first], wal: wal(40), descriptor: read({ lastFrame: 11, holdsFrames: true }) },
    ],
  ])('%s', (_name, picture) => {
    expect(plan(picture)).toEqual({
      kind: 'open',
      keepWalBytes: 0,
      entries: picture.items,
      rewrite: true,
    })
  })

  test('only from the last frame that begins it', () => {
    const again = item(13, 0, 20, 1n)
    expect(plan({ items: [first, second, again], descriptor: read({ lastFrame: 12 }) })).toMatchObject({
      kind: 'open',
      entries: [again],
    })
  })
})

describe('a block that the checkpoint has open', () => {
  test('is left alone when no frame touches it and its WAL is whole', () => {
    expect(plan({ checkpointed: open(), wal: wal(100), descriptor: read() })).toEqual({
      kind: 'open',
      keepWalBytes: 100,
      entries: [],
      rewrite: false,
    })
  })

  test.each<[string, Picture]>([
    ['no frame is in its WAL yet', { items: [third], wal: wal(100) }],
    ['the frame is in its WAL, perhaps only in the cache', { items: [third], wal: wal(130) }],
    ['its stop marker is gone', { wal: wal(100, false) }],
    ['the frame is torn in its WAL', { items: [third], wal: wal(100, false) }],
  ])('keeps what the checkpoint made durable, and gets the rest again: %s', (_name, picture) => {
    expect(plan({ checkpointed: open(), descriptor: read(), ...picture })).toEqual({
      kind: 'open',
      keepWalBytes: 100,
      entries: picture.items ?? [],
      rewrite: true,
    })
  })
})

describe('a block whose WAL is gone is folded when its descriptor has everything', () => {
  test.each<[string, Picture]>([
    [
      'since the checkpoint, no frame',
      { checkpointed: open(), descriptor: read({ crc64: 2n, lastFrame: 10, holdsFrames: true }) },
    ],
    [
      'since the checkpoint, with frames',
      {
        checkpointed: open(),
        items: [third],
        descriptor: read({ crc64: 2n, lastFrame: 13, recordCount: 3, holdsFrames: true }),
      },
    ],
    [
      'and stock has begun another WAL since',
      {
        items: [begun],
        wal: { ...wal(30), isOurs: false, isTheirs: true },
        descriptor: read({ crc64: 2n, lastFrame: 11, holdsFrames: true }),
      },
    ],
    ['begun and folded since', { items: [first], descriptor: read({ lastFrame: 11, holdsFrames: true }) }],
  ])('%s', (_name, picture) => {
    expect(plan(picture)).toEqual({ kind: 'folded' })
  })
})

describe('a block that stock has saved since gets what is missing at its end', () => {
  test.each<[string, Picture]>([
    [
      'with a frame that stock has not seen',
      { checkpointed: open(), items: [third], descriptor: read({ crc64: 2n, lastFrame: undefined }) },
    ],
    [
      'begun anew on another descriptor',
      { items: [begun], descriptor: read({ crc64: 2n, lastFrame: undefined }) },
    ],
    [
      'with everything, but for what stock does not keep',
      { items: [begun], descriptor: read({ crc64: 2n, lastFrame: undefined, holdsFrames: true }) },
    ],
    [
      'that stock has begun a WAL of, over a frame that it has not seen',
      { items: [begun], wal: { ...wal(30), isOurs: false, isTheirs: true }, descriptor: read() },
    ],
    ['removed, with all of its files', { items: [begun], isRemoved: true }],
    ['removed, open as it was at the checkpoint', { checkpointed: open(), items: [third], isRemoved: true }],
  ])('%s', (_name, picture) => {
    expect(plan(picture)).toEqual({ kind: 'merge', entries: picture.items })
  })

  test('and is forgotten where stock has removed it and no frame names it', () => {
    const picture = { checkpointed: open(), isRemoved: true }
    expect(plan(picture)).toEqual({ kind: 'removed' })
  })
})

describe('a person must look when', () => {
  test('labels that change nothing are folded by ReductStore into the descriptor below them', () => {
    const left = { checkpointed: open({ recordCount: 3 }), descriptor: read(), isClosed: true }
    expect(plan(left)).toEqual({ kind: 'folded' })
    expect(plan({ ...left, items: [third] })).toEqual({ kind: 'merge', entries: [third] })
  })

  test.each<[string, Picture, RegExp]>([
    ['nothing begins the block', { items: [second] }, /neither checkpoint nor log begins/],
    ['frames do not join', { items: [first, third] }, /do not join/],
    [
      'frames do not join the checkpoint',
      { checkpointed: open(), items: [second], wal: wal(100) },
      /do not join/,
    ],
    ['the descriptor is rot', { items: [first], descriptor: { state: 'undecodable' } }, /cannot be decoded/],
    ['the descriptor below a WAL is missing', { items: [begun] }, /descriptor is missing/],
    [
      'the descriptor below a begun WAL is another one',
      { items: [begun], descriptor: read({ crc64: 2n }) },
      /not the one/,
    ],
    [
      "the descriptor below the checkpoint's WAL is another one",
      { checkpointed: open(), wal: wal(100), descriptor: read({ crc64: 2n }) },
      /not the one/,
    ],
    ['WAL and descriptor are both gone', { checkpointed: open() }, /missing/],
    [
      'only the WAL is gone, and the descriptor is the one below it',
      { checkpointed: open({ recordCount: 3 }), items: [third], descriptor: read() },
      /WAL is missing/,
    ],
    ["the descriptor below the checkpoint's WAL is gone", { checkpointed: open(), wal: wal(100) }, /missing/],
    [
      'the WAL is shorter than the checkpoint made it',
      { checkpointed: open(), wal: wal(60, false), descriptor: read() },
      /readable for 60 bytes/,
    ],
    [
      'the WAL is ahead of the log',
      { checkpointed: open(), wal: wal(160), descriptor: read() },
      /the log does not know/,
    ],
  ])('%s', (_name, picture, why) => {
    expect(plan(picture)).toMatchObject({ kind: 'damaged', why: expect.stringMatching(why) })
  })
})

describe('a repair gives a damaged block all that was logged', () => {
  test('behind what can be read of its WAL', () => {
    const facts = { ...name, checkpointed: open(), checkpointSequence: CHECKPOINT, change: undefined }
    const files = { isGone: false, isClosed: false, descriptor: missing }
    expect(salvageBlock({ ...facts, ...files, items: [third], wal: wal(60, false) })).toEqual({
      kind: 'open',
      keepWalBytes: 60,
      entries: [third],
      rewrite: true,
    })
    expect(salvageBlock({ ...facts, ...files, items: [third], wal: undefined })).toMatchObject({
      keepWalBytes: 0,
    })
    expect(salvageBlock({ ...facts, ...files, items: [begun], wal: wal(60) })).toMatchObject({
      keepWalBytes: 0,
    })
  })
})
