import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Gap } from '../../src/ledger/gap.ts'
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

export const ledgerTargets: readonly FuzzTarget[] = [deltaTarget, snapshotTarget]
