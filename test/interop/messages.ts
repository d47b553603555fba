import type { EntryName, LabelList, RecordWrite } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'

/** What stands at a number never changes, so that a redelivered message is the same message. */
export interface Message {
  readonly number: number
  readonly write: RecordWrite
}

/** What there is to store. */
export interface MessageSource {
  at(number: number): Message
}

/** Label that says which message a record is. */
export const NUMBER_LABEL = 'offset'
/** Label that a later change gives. */
export const CHANGED_LABEL = 'changed'

const START_MS = 1_750_000_000_000
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const targets: readonly EntryName[] = [
  { bucket: 'kafka', entry: 'orders/0' },
  { bucket: 'kafka', entry: 'orders/1' },
  { bucket: 'kafka', entry: 'sensor_frames/0' },
  { bucket: 'kafka', entry: 'plain' },
  { bucket: 'second', entry: 'deep/er/0' },
]
/** The one that bad clocks write to: a record far ahead stretches its block. */
const strayTarget: EntryName = { bucket: 'second', entry: 'stray/0' }

export const buckets: readonly string[] = [...new Set(targets.map(({ bucket }) => bucket))]

/**
 * Numbered messages as a seed makes them up: times in whole milliseconds, several a millisecond, one in six late, some
 * before everything; empty to large contents; labels and types of all kinds that HTTP can carry.
 */
export class Messages implements MessageSource {
  readonly #seed: number

  /** @param seed below 2^20 */
  constructor(seed: number) {
    this.#seed = seed
  }

  at(number: number): Message {
    const random = new Random(this.#seed * 2 ** 32 + number)
    const isStray = random.chance(0.02)
    let timeMs = START_MS + Math.floor(number * 0.7)
    if (random.chance(0.16)) timeMs -= random.between(1, 2_000)
    else if (random.chance(0.01)) timeMs -= random.between(MINUTE_MS, 72 * HOUR_MS)
    else if (isStray && random.chance(0.3)) timeMs += random.between(MINUTE_MS, 10 * HOUR_MS)
    const write = {
      target: isStray ? strayTarget : random.pick(targets),
      timestampUs: timeMs * 1000,
      labels: labelsOf(number, random),
      contentType: random.pick(['application/octet-stream', 'text/plain', 'application/json', '']),
      content: random.bytes(contentBytes(random)),
    }
    return { number, write }
  }
}

function labelsOf(number: number, random: Random): LabelList {
  const labels = [NUMBER_LABEL, String(number)]
  if (random.chance(0.4)) labels.push('key', random.pick(['a', 'b=c', 'x, y', 'it "is"', '~!@#%^&*()']))
  if (random.chance(0.1)) labels.push('trace.id', 'f'.repeat(random.between(1, 400)))
  if (random.chance(0.1)) labels.push('h_empty', '')
  return labels
}

function contentBytes(random: Random): number {
  const draw = random.next()
  if (draw < 0.05) return 0
  if (draw < 0.88) return random.between(1, 300)
  return draw < 0.98 ? random.between(300, 6_000) : random.between(40_000, 150_000)
}
