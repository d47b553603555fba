import { crc32 } from 'node:zlib'
import type { EntryName } from '../../src/storage/index.ts'
import type { MessageSource } from './messages.ts'
import { labelsOf, type ShownRecord } from './shown.ts'

/**
 * Where messages are stored that come in the order of their numbers: each at the first free microsecond at or after its
 * wanted time.
 */
export class Places {
  readonly #messages: MessageSource
  #places: ShownRecord[] = []
  #takenUs = new Map<string, Set<number>>()

  constructor(messages: MessageSource) {
    this.#messages = messages
  }

  clone(): Places {
    const copy = new Places(this.#messages)
    copy.#places = [...this.#places]
    copy.#takenUs = new Map([...this.#takenUs].map(([entry, taken]) => [entry, new Set(taken)]))
    return copy
  }

  at(number: number): ShownRecord {
    while (this.#places.length <= number) this.#places.push(this.#next(this.#places.length))
    return this.#places[number] as ShownRecord
  }

  /** It was seen somewhere else. */
  move(number: number, timestampUs: bigint): void {
    const place = { ...this.at(number), timestampUs }
    this.#taken(place).add(Number(timestampUs))
    this.#places[number] = place
  }

  #next(number: number): ShownRecord {
    const { target, timestampUs: wantedUs, labels, contentType, content } = this.#messages.at(number).write
    const taken = this.#taken(target)
    let timestampUs = wantedUs
    while (taken.has(timestampUs)) timestampUs++
    taken.add(timestampUs)
    return {
      ...target,
      timestampUs: BigInt(timestampUs),
      labels: labelsOf(labels),
      contentType,
      contentBytes: content.byteLength,
      contentChecksum: crc32(content),
    }
  }

  #taken({ bucket, entry }: EntryName): Set<number> {
    const key = `${bucket}/${entry}`
    const known = this.#takenUs.get(key)
    if (known !== undefined) return known
    const taken = new Set<number>()
    this.#takenUs.set(key, taken)
    return taken
  }
}
