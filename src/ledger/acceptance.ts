import type { Gap } from './gap.ts'
import type { Advance, LedgerRow } from './ledger-codec.ts'
import { isForBatch, type HeldFor } from './partition-facts.ts'

/** What a person accepts: that offsets are others now, or that some are lost. */
export type AcceptanceKind = 'offsets' | 'gap'

/** How a hold is accepted. */
export function acceptanceOf(reason: HeldFor): AcceptanceKind {
  return reason === 'deleted' || isForBatch(reason) ? 'gap' : 'offsets'
}

export interface Acceptance {
  /** The step that makes it durable. */
  readonly advance: Advance
  /** Where the partition goes on. */
  readonly nextOffset: number
  /** What it means, for people. */
  readonly meaning: string
}

/**
 * What becomes of a held partition when a person accepts its hold; a text where there is nothing to accept that way.
 *
 * Offsets that are others now begin a new incarnation: the ledger forgets what it had of the partition, records stay,
 * and commits of earlier incarnations do not count any more.
 *
 * @param row `undefined` for a partition that the ledger does not know: the ledger was lost
 */
export function acceptHold(
  kind: AcceptanceKind,
  { topic, partition }: Pick<Advance, 'topic' | 'partition'>,
  row: LedgerRow | undefined,
): Acceptance | string {
  const name = `${topic}/${partition}`
  const anew = (nextOffset: number, meaning: string, facts: Partial<Advance> = {}): Acceptance => {
    const gaps: Gap[] = nextOffset === 0 ? [] : [{ class: 'before-start', fromOffset: 0, nextOffset }]
    const incarnation = (row?.incarnation ?? 0) + 1
    const step = { topic, partition, fromOffset: 0, nextOffset, records: 0, gaps, incarnation, ...facts }
    return { advance: step, nextOffset, meaning }
  }
  if (row === undefined) {
    if (kind === 'gap') return `${name} is not in the ledger`
    return anew(0, 'it is not in the ledger: everything that Kafka has is read, also what is stored already')
  }
  const { hold, nextOffset, topicId, leaderEpoch } = row
  if (hold === undefined) return `${name} is not held for anything that a person accepts`
  if (kind !== acceptanceOf(hold.reason)) {
    return `${name} is held for ${hold.reason}: accept that with \`sediment ${acceptanceOf(hold.reason)} accept\``
  }
  switch (hold.reason) {
    case 'undecodable':
    case 'batch-too-large':
    case 'deleted': {
      const isKept = isForBatch(hold.reason)
      const gapClass = isKept ? 'quarantined' : 'deleted'
      const gaps: Gap[] = [{ class: gapClass, fromOffset: nextOffset, nextOffset: hold.offset }]
      const { incarnation } = row
      const step = {
        topic,
        partition,
        fromOffset: nextOffset,
        nextOffset: hold.offset,
        records: 0,
        gaps,
        incarnation,
      }
      const what = {
        undecodable: 'are of a record batch that cannot be decoded and is kept in quarantine',
        'batch-too-large':
          'are of a record batch that becomes larger than memory.budgetBytes and is kept in quarantine; with more of it they are stored',
        deleted: 'were deleted before they were read',
      }[hold.reason]
      const meaning = `${hold.offset - nextOffset} offsets from ${nextOffset} on ${what}: a gap (${gapClass}) is recorded`
      return { advance: step, nextOffset: hold.offset, meaning }
    }
    case 'topic-recreated':
      return anew(
        0,
        `the ${nextOffset} offsets so far were of a topic that is gone: the new one is read whole`,
      )
    case 'log-truncated': {
      const already =
        hold.offset <= nextOffset
          ? `the ${nextOffset - hold.offset} stored under the same offsets stay`
          : `the ${hold.offset - nextOffset} from ${nextOffset} on are another store's`
      const meaning =
        hold.offset === 0
          ? 'where the log was cut is not known: everything that Kafka has is read, also what is stored already'
          : `offsets from ${hold.offset} on are others now: they are read; ${already}`
      return anew(hold.offset, meaning, { topicId })
    }
    case 'ledger-behind':
      return anew(
        nextOffset,
        `${hold.offset - nextOffset} offsets from ${nextOffset} on were committed and are not known here: they are read again`,
        { topicId, leaderEpoch },
      )
  }
}
