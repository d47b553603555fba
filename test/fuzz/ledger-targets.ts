import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { crc32 } from '../../src/base/crc32.ts'
import { isBenign, type Gap } from '../../src/ledger/gap.ts'
import { decodePage, encodePage } from '../../src/ledger/gap-page.ts'
import {
  decodeDelta,
  decodeSnapshot,
  encodeDelta,
  encodeSnapshot,
  type Advance,
} from '../../src/ledger/ledger-codec.ts'
import { LedgerError } from '../../src/ledger/ledger-error.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import type { FuzzTarget } from './fuzz.ts'

const gapClass = fc.constantFrom('before-start', 'elsewhere', 'control', 'compacted', 'deleted', 'unknown')
const step = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 2 ** 40 }))

/** What is stored and what is not, in turn. */
const advance = fc
  .tuple(fc.string({ maxLength: 8 }), fc.array(fc.tuple(step, gapClass, step), { maxLength: 3 }))
  .map(([topic, parts]): Omit<Advance, 'partition'> => {
    const gaps: Gap[] = []
    let nextOffset = 0
    let records = 0
    for (const [stored, kind, missing] of parts) {
      const fromOffset = nextOffset + stored
      nextOffset = fromOffset + missing
      records += stored
      gaps.push({ class: kind, fromOffset, nextOffset, ...(kind === 'elsewhere' && { storeId: 'other' }) })
    }
    return { topic, fromOffset: 0, nextOffset, records, gaps }
  })

const facts = fc.record(
  {
    topicId: fc.string({ maxLength: 22 }),
    leaderEpoch: fc.nat(),
    hold: fc.record({
      reason: fc.constantFrom('topic-recreated', 'log-truncated', 'ledger-behind', 'deleted'),
      offset: step,
    }),
  },
  { requiredKeys: [] },
)

const delta = fc
  .array(
    fc.tuple(advance, facts).map(([one, more]) => ({ ...one, ...more })),
    { maxLength: 4 },
  )
  .map((advances) =>
    encodeDelta(
      'cluster',
      advances.map((one, partition) => ({ ...one, partition })),
    ),
  )

const isPromised = (error: unknown): boolean => error instanceof LedgerError

/** What was read can be written, and read again. */
function requireSame<T>(value: T, again: () => T): void {
  let same: T
  try {
    same = again()
  } catch (error) {
    throw new Error('what was read cannot be written', { cause: error })
  }
  if (!isDeepStrictEqual(same, value)) throw new Error('written again it says something else')
}

const deltaTarget: FuzzTarget = {
  name: 'ledger delta',
  valid: delta,
  isPromised,
  decode: (bytes) => {
    const decoded = decodeDelta(bytes)
    requireSame(decoded, () => decodeDelta(encodeDelta(decoded.clusterId, decoded.advances)))
    new OffsetLedger().apply(bytes)
    return 'whole'
  },
}

const snapshotTarget: FuzzTarget = {
  name: 'ledger snapshot',
  valid: delta.map((bytes) => {
    const ledger = new OffsetLedger()
    ledger.apply(bytes)
    return ledger.snapshot()
  }),
  isPromised,
  decode: (bytes) => {
    const rows = decodeSnapshot(bytes)
    requireSame(rows, () => decodeSnapshot(encodeSnapshot(rows)))
    new OffsetLedger().restore(bytes)
    return 'whole'
  },
}

const place = { owner: 'cluster/orders/0-0-0', pageNumber: 3 }

const pageTarget: FuzzTarget = {
  name: 'page of gap ranges',
  valid: fc
    .array(fc.tuple(step, fc.constantFrom('control', 'aborted', 'compacted', 'filtered'), step), {
      minLength: 1,
      maxLength: 30,
    })
    .map((parts) => {
      let position = 0
      const ranges = parts.map(([stored, kind, missing]): Gap => {
        const fromOffset = position + stored
        position = fromOffset + missing
        return { class: kind, fromOffset, nextOffset: position }
      })
      return encodePage(place, ranges).bytes
    }),
  reseal: (bytes) => {
    const sealed = Uint8Array.from(bytes)
    if (sealed.length >= 8)
      new DataView(sealed.buffer).setUint32(4, crc32(sealed.subarray(8), crc32(place.owner)), true)
    return sealed
  },
  isPromised: () => false,
  decode: (bytes) => {
    const ranges = decodePage(place, bytes)
    if (ranges === undefined) return 'refused'
    let position = 0
    for (const { class: gapClass, fromOffset, nextOffset } of ranges) {
      if (fromOffset < position || nextOffset <= fromOffset || !isBenign(gapClass))
        throw new Error('ranges that nobody wrote')
      position = nextOffset
    }
    return 'whole'
  },
}

export const ledgerTargets: readonly FuzzTarget[] = [deltaTarget, snapshotTarget, pageTarget]
