import type { EntryName, RecordWrite } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'
import type { SimulationOptions } from './options.ts'

const START_US = 1_750_000_000_000_000
const HOUR_US = 3_600_000_000

export interface Message {
  readonly partition: number
  readonly offset: number
  /** Value of the label `offset`: says which message a stored record is. */
  readonly identity: string
  readonly write: RecordWrite
}

/** What stands at an offset never changes, so that a redelivered message is the same message. */
export interface Topic {
  readonly targets: readonly EntryName[]
  /** `undefined`: nothing is stored for this offset (a gap). */
  at(partition: number, offset: number): Message | undefined
  byIdentity(identity: string): Message | undefined
}

/** Messages as a seed makes them up. */
export class RandomTopic implements Topic {
  readonly #options: SimulationOptions
  readonly #targets: readonly EntryName[]
  readonly #partitions: { random: Random; timeUs: number; messages: (Message | undefined)[] }[]

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#targets = options.buckets.flatMap((bucket) => options.entries.map((entry) => ({ bucket, entry })))
    const random = new Random(options.seed ^ 0x5eed)
    this.#partitions = Array.from({ length: options.partitions }, () => ({
      random: new Random(random.seed()),
      timeUs: START_US,
      messages: [],
    }))
  }

  get targets(): readonly EntryName[] {
    return this.#targets
  }

  at(partition: number, offset: number): Message | undefined {
    const { messages } = this.#partitions[partition] as { messages: (Message | undefined)[] }
    while (messages.length <= offset) messages.push(this.#next(partition, messages.length))
    return messages[offset]
  }

  byIdentity(identity: string): Message | undefined {
    const [partition, offset] = identity.split('-').map(Number)
    return this.#partitions[partition as number]?.messages[offset as number]
  }

  #next(partition: number, offset: number): Message | undefined {
    const state = this.#partitions[partition] as { random: Random; timeUs: number }
    const { random } = state
    const { times, contents } = this.#options
    if (random.chance(0.04)) return undefined
    if (!random.chance(times.equalChance)) state.timeUs += random.between(0, times.stepMsMax) * 1000
    let timestampUs = state.timeUs
    if (random.chance(times.lateChance)) timestampUs -= random.between(0, times.lateStepsMax) * 1000
    else if (random.chance(times.farAheadChance)) timestampUs += random.between(1, 48) * HOUR_US
    else if (random.chance(times.beforeAllChance)) timestampUs -= random.between(1, 72) * HOUR_US
    const identity = `${partition}-${offset}`
    const [from, to] = random.pick(contents)
    const target = random.chance(0.6)
      ? (this.#targets[partition % this.#targets.length] as EntryName)
      : random.pick(this.#targets)
    const labels = ['offset', identity]
    if (random.chance(0.2)) labels.push('key', 'k"1')
    if (random.chance(this.#options.longLabelChance))
      labels.push('trace', identity.repeat(random.pick([100, 300])))
    const write = {
      target,
      timestampUs,
      labels,
      contentType: random.chance(0.2) ? '' : 'application/octet-stream',
      content: random.bytes(random.between(from, to)),
    }
    return { partition, offset, identity, write }
  }
}
