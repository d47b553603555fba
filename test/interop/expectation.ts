import { NUMBER_LABEL, type MessageSource } from './messages.ts'
import { Places } from './places.ts'
import { differenceOf, nameOf, shownRecord, type Shown, type ShownRecord } from './shown.ts'
import type { NewRecord } from './stock-client.ts'

/** What a reader showed, against what had been acknowledged. Everything but the counts should be empty. */
export interface Verdict {
  /** Records that were compared and are as they should be. */
  readonly right: number
  /** Of them, records that nobody had acknowledged: the groups in flight. */
  readonly inFlight: number
  readonly missing: readonly string[]
  readonly doubled: readonly string[]
  /** Another content, label, type, time or place; or a record that nobody wrote, or that we had removed. */
  readonly wrong: readonly string[]
  /** Records that the server had removed. */
  readonly cameBack: readonly string[]
  /** The server had acknowledged them. */
  readonly missingOfServer: readonly string[]
}

type Labels = Readonly<Record<string, string>>

/** What became of a message after it was stored. */
export type Fate =
  | { readonly kind: 'removed'; readonly by: 'us' | 'server' }
  | { readonly kind: 'relabelled'; readonly labels: Labels }

/** What a directory must show. */
export class Expectation {
  /** Messages below are acknowledged … */
  acknowledged = 0
  /** … and those from here on were never handed over. */
  tried = 0
  readonly #messages: MessageSource
  #places: Places
  /** What the server wrote, by name. */
  #ofServer = new Map<string, ShownRecord>()
  #fates = new Map<number, Fate>()
  /** Changes in flight when their process was killed: done or not. */
  #perhaps = new Map<number, Fate>()
  /**
   * Once records were removed, or written by the server, slots are taken and free that the model does not know of: then
   * a message may be anywhere in its millisecond, until it has been seen.
   */
  #areSlotsKnown = true
  /** Places of messages below this have been seen. */
  #seenBelow = 0

  constructor(messages: MessageSource) {
    this.#messages = messages
    this.#places = new Places(messages)
  }

  clone(): Expectation {
    const copy = new Expectation(this.#messages)
    copy.acknowledged = this.acknowledged
    copy.tried = this.tried
    copy.#places = this.#places.clone()
    copy.#ofServer = new Map(this.#ofServer)
    copy.#fates = new Map(this.#fates)
    copy.#perhaps = new Map(this.#perhaps)
    copy.#areSlotsKnown = this.#areSlotsKnown
    copy.#seenBelow = this.#seenBelow
    return copy
  }

  /** Acknowledged messages as they are stored, without those that somebody changed. */
  unchanged(): ShownRecord[] {
    return Array.from({ length: this.acknowledged }, (_, number) => this.#places.at(number)).filter(
      (_, number) => !this.#fates.has(number) && !this.#perhaps.has(number),
    )
  }

  serverWrote({ target, timestampUs, labels, contentType, content }: NewRecord): void {
    const record = shownRecord(target, timestampUs, labels, contentType, content)
    this.#ofServer.set(nameOf(record), record)
    this.#areSlotsKnown = false
  }

  serverChanged(record: ShownRecord, fate: Fate): void {
    this.changed(numberOf(record) as number, fate)
  }

  /** An acknowledged change. */
  changed(number: number, fate: Fate): void {
    this.#fates.set(number, fate)
    this.#perhaps.delete(number)
    if (fate.kind === 'removed') this.#areSlotsKnown = false
  }

  /** A change that was in flight when its process died. */
  perhapsChanged(number: number, fate: Fate): void {
    this.#perhaps.set(number, fate)
    if (fate.kind === 'removed') this.#areSlotsKnown = false
  }

  /** The labels of a message with one more. */
  relabelled(number: number, name: string, value: string): Fate {
    const fate = this.#fates.get(number)
    const labels = fate?.kind === 'relabelled' ? fate.labels : this.#places.at(number).labels
    return { kind: 'relabelled', labels: { ...labels, [name]: value } }
  }

  judge(shown: Shown): Verdict {
    const missing: string[] = []
    const doubled: string[] = []
    const wrong: string[] = [...shown.problems]
    const cameBack: string[] = []
    let right = 0
    let inFlight = 0
    const seen = new Set<number>()
    const names = new Set<string>()
    for (const record of shown.records) {
      const name = nameOf(record)
      if (names.has(name)) doubled.push(name)
      names.add(name)
      const number = numberOf(record)
      if (number !== undefined) {
        if (seen.has(number)) doubled.push(`message ${number} at ${name}`)
        seen.add(number)
      }
      const fate = number === undefined ? undefined : this.#fates.get(number)
      if (fate?.kind === 'removed') {
        if (fate.by === 'server') cameBack.push(`message ${number} at ${name}`)
        else wrong.push(`message ${number} at ${name}: it was removed`)
        continue
      }
      const difference =
        number === undefined ? this.#differenceOfServer(name, record) : this.#difference(number, record)
      if (difference !== undefined) {
        wrong.push(`${number === undefined ? '' : `message ${number} at `}${name}: ${difference}`)
        continue
      }
      right++
      if (number !== undefined && number >= this.acknowledged) inFlight++
    }
    for (let number = 0; number < this.acknowledged; number++) {
      const isGone =
        this.#fates.get(number)?.kind === 'removed' || this.#perhaps.get(number)?.kind === 'removed'
      if (!seen.has(number) && !isGone)
        missing.push(`message ${number} of ${nameOf(this.#places.at(number))}`)
    }
    const missingOfServer = [...this.#ofServer.keys()].filter((name) => !names.has(name))
    return { right, inFlight, missing, doubled, wrong, cameBack, missingOfServer }
  }

  /**
   * Acknowledged messages stay where they were seen, and `isDecided` says that changes in flight are done or not for
   * good. To be called with what was shown when all was right.
   */
  settle(shown: Shown, isDecided: boolean): void {
    const seen = new Map<number, ShownRecord>()
    for (const record of shown.records) {
      const number = numberOf(record)
      if (number === undefined || number >= this.acknowledged) continue
      seen.set(number, record)
      this.#places.move(number, record.timestampUs)
    }
    this.#seenBelow = this.acknowledged
    if (!isDecided) return
    for (const [number, fate] of this.#perhaps) {
      const record = seen.get(number)
      if (record === undefined) this.changed(number, { kind: 'removed', by: 'us' })
      else if (fate.kind === 'relabelled') this.changed(number, { kind: 'relabelled', labels: record.labels })
    }
    this.#perhaps.clear()
  }

  #differenceOfServer(name: string, record: ShownRecord): string | undefined {
    const expected = this.#ofServer.get(name)
    return expected === undefined ? 'nobody wrote it' : differenceOf(record, expected)
  }

  #difference(number: number, record: ShownRecord): string | undefined {
    if (number >= this.tried) return 'it was never handed to the engine'
    const place = this.#places.at(number)
    const movedUs = Number(record.timestampUs) - this.#messages.at(number).write.timestampUs
    const mayMove = !this.#areSlotsKnown && number >= this.#seenBelow && movedUs >= 0 && movedUs < 1000
    const timestampUs = mayMove ? record.timestampUs : place.timestampUs
    const differences = [this.#fates.get(number), this.#perhaps.get(number)].map((fate) => {
      const labels = fate?.kind === 'relabelled' ? fate.labels : place.labels
      return differenceOf(record, { ...place, timestampUs, labels })
    })
    if (this.#perhaps.get(number)?.kind !== 'relabelled') return differences[0]
    return differences.includes(undefined) ? undefined : differences[0]
  }
}

function numberOf({ labels }: ShownRecord): number | undefined {
  const number = labels[NUMBER_LABEL]
  return number === undefined ? undefined : Number(number)
}
