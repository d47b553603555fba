import type { Gap, GapClass, SpilledGaps } from './gap.ts'
import { LedgerError } from './ledger-error.ts'
import type { HeldFor, HoldMark, PartitionFacts } from './partition-facts.ts'

/** Bytes of the ledger, piece by piece; `ledger-codec.ts` says in what order. */

const VERSION = 1

/** Values are on disk: append, never renumber. */
export const CLASS_CODES: Readonly<Record<GapClass, number>> = {
  'before-start': 1,
  elsewhere: 2,
  control: 3,
  aborted: 4,
  compacted: 5,
  deleted: 6,
  filtered: 7,
  quarantined: 8,
  unknown: 9,
}
const TOPIC_ID_FLAG = 1
const LEADER_EPOCH_FLAG = 2
const HOLD_FLAG = 4
const REVISION_FLAG = 8
const SPILLED_FLAG = 16
const FLAGS_MAX = 2 * SPILLED_FLAG - 1
/** Values are on disk: append, never renumber. */
const HOLD_CODES: Readonly<Record<HeldFor, number>> = {
  'topic-recreated': 1,
  'log-truncated': 2,
  'ledger-behind': 3,
  deleted: 4,
  undecodable: 5,
  'batch-too-large': 6,
}
const HOLDS = new Map(Object.entries(HOLD_CODES).map(([name, code]) => [code, name as HeldFor]))
const CLASSES = new Map(Object.entries(CLASS_CODES).map(([name, code]) => [code, name as GapClass]))

/** What is said of a partition beside its offsets. */
interface RowFacts extends PartitionFacts {
  readonly isRevision?: boolean | undefined
  readonly spilled?: SpilledGaps | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export class LedgerWriter {
  #bytes = new Uint8Array(256)
  #length = 0

  constructor(kind: number) {
    this.byte(kind)
    this.byte(VERSION)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new LedgerError('ERR_LEDGER_FORMAT', `${value} is no number the ledger can hold`)
    }
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  text(value: string): void {
    const bytes = encoder.encode(value)
    this.number(bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  facts({ topicId, leaderEpoch, hold, isRevision, spilled }: RowFacts): void {
    const flags =
      (topicId === undefined ? 0 : TOPIC_ID_FLAG) |
      (leaderEpoch === undefined ? 0 : LEADER_EPOCH_FLAG) |
      (hold === undefined ? 0 : HOLD_FLAG) |
      (isRevision === true ? REVISION_FLAG : 0) |
      (spilled === undefined ? 0 : SPILLED_FLAG)
    this.number(flags)
    if (topicId !== undefined) this.text(topicId)
    if (leaderEpoch !== undefined) this.number(leaderEpoch)
    if (hold !== undefined) {
      this.byte(HOLD_CODES[hold.reason])
      this.number(hold.offset)
    }
    if (spilled === undefined) return
    this.number(spilled.edition)
    this.number(spilled.pages)
    this.number(spilled.ranges)
  }

  gaps(gaps: readonly Gap[]): void {
    this.number(gaps.length)
    let position = 0
    for (const gap of gaps) {
      this.byte(CLASS_CODES[gap.class])
      if (gap.class === 'elsewhere') this.text(gap.storeId ?? '')
      this.number(gap.fromOffset - position)
      this.number(gap.nextOffset - gap.fromOffset)
      position = gap.nextOffset
    }
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}

export class LedgerReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array, kind: number) {
    this.#bytes = bytes
    if (this.byte() !== kind) throw this.#broken('not the kind of ledger bytes expected')
    const version = this.byte()
    if (version !== VERSION) throw this.#broken(`version ${version} is not known here`)
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw this.#broken('ends too early')
    this.#at += 1
    return value
  }

  number(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 0x80
    }
    throw this.#broken('a number is too large')
  }

  text(): string {
    const length = this.number()
    if (this.#at + length > this.#bytes.length) throw this.#broken('ends too early')
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    try {
      return decoder.decode(bytes)
    } catch {
      throw this.#broken('a name is not UTF-8')
    }
  }

  facts(): RowFacts & { readonly isRevision: boolean } {
    const flags = this.number()
    if (flags > FLAGS_MAX) throw this.#broken(`flags ${flags} are not known here`)
    return {
      isRevision: (flags & REVISION_FLAG) !== 0,
      ...((flags & TOPIC_ID_FLAG) !== 0 && { topicId: this.text() }),
      ...((flags & LEADER_EPOCH_FLAG) !== 0 && { leaderEpoch: this.number() }),
      ...((flags & HOLD_FLAG) !== 0 && { hold: this.hold() }),
      ...((flags & SPILLED_FLAG) !== 0 && {
        spilled: { edition: this.number(), pages: this.number(), ranges: this.number(), unwritten: [] },
      }),
    }
  }

  hold(): HoldMark {
    const code = this.byte()
    const reason = HOLDS.get(code)
    if (reason === undefined) throw this.#broken(`hold ${code} is not known here`)
    return { reason, offset: this.number() }
  }

  gapClass(): GapClass {
    const code = this.byte()
    const gapClass = CLASSES.get(code)
    if (gapClass === undefined) throw this.#broken(`gap class ${code} is not known here`)
    return gapClass
  }

  gaps(): Gap[] {
    const gaps: Gap[] = []
    let position = 0
    for (let left = this.number(); left > 0; left--) {
      const gapClass = this.gapClass()
      const storeId = gapClass === 'elsewhere' ? this.text() : undefined
      const fromOffset = position + this.number()
      const nextOffset = fromOffset + this.number()
      if (nextOffset <= fromOffset || !Number.isSafeInteger(nextOffset)) throw this.#broken('an empty gap')
      gaps.push({ class: gapClass, fromOffset, nextOffset, ...(storeId !== undefined && { storeId }) })
      position = nextOffset
    }
    return gaps
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#broken('has bytes beyond its end')
  }

  #broken(why: string): LedgerError {
    return new LedgerError('ERR_LEDGER_FORMAT', `ledger bytes cannot be read: ${why} (at byte ${this.#at})`)
  }
}
