import type { Admin } from 'kafkajs'
import type { Member } from './member.ts'
import type { FedTopic } from './producer.ts'

const ANSWER_LIMIT_MS = 3_000
const DURABLE = /^sediment_durable_offset\{topic="([^"]+)",partition="(\d+)"\} (\d+)$/gm

interface Promised {
  readonly member: Member
  readonly name: string
  readonly offset: number
}

export interface Committed {
  readonly storeId: string | undefined
  readonly offset: number
}

/**
 * Holds what is committed to Kafka against what is durable in the store that committed it. What a store cannot be asked
 * for at the moment is asked for later.
 */
export class Sampler {
  /** Commits of which the store did not have everything. */
  readonly violations: string[] = []
  samples = 0
  /** Kafka did not answer. */
  missed = 0
  /** Commits held against the store that made them. */
  checked = 0
  readonly #admin: Admin
  readonly #group: string
  readonly #topics: readonly FedTopic[]
  readonly #members: readonly Member[]
  /** The most that was seen durable, by member and partition. */
  readonly #durable = new Map<Member, Map<string, number>>()
  #open: Promised[] = []

  constructor(admin: Admin, group: string, topics: readonly FedTopic[], members: readonly Member[]) {
    this.#admin = admin
    this.#group = group
    this.#topics = topics
    this.#members = members
    for (const member of members) this.#durable.set(member, new Map())
  }

  /** By `topic/partition`. @throws {Error} when no broker answers in time */
  async committed(): Promise<Map<string, Committed>> {
    const names = this.#topics.map(({ name }) => name)
    const answer = this.#admin.fetchOffsets({ groupId: this.#group, topics: names })
    answer.catch(() => {})
    const topics = await Promise.race([answer, sleep(ANSWER_LIMIT_MS).then(() => undefined)])
    if (topics === undefined) throw new Error('committed offsets were not told in time')
    return new Map(
      topics.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset, metadata }): [string, Committed] => [
          `${topic}/${partition}`,
          { offset: Number(offset), storeId: storeOf(metadata) },
        ]),
      ),
    )
  }

  async sample(): Promise<void> {
    let committed: Map<string, Committed>
    try {
      committed = await this.committed()
    } catch {
      this.missed++
      return
    }
    this.samples++
    for (const [name, { storeId, offset }] of committed) {
      const member = this.#members.find((one) => one.storeId !== undefined && one.storeId === storeId)
      if (offset < 0) continue
      if (member === undefined) this.violations.push(`${name}@${offset} was committed by ${storeId}`)
      else this.#open.push({ member, name, offset })
    }
    await Promise.all(this.#members.map((member) => this.#ask(member)))
    this.#settle()
  }

  /** By the ledger of a member that does not run. */
  async look(member: Member): Promise<void> {
    const known = this.#durable.get(member)!
    for (const { topic, partition, nextOffset } of await member.ledger())
      raise(known, `${topic}/${partition}`, nextOffset)
    this.#settle(member)
  }

  async #ask(member: Member): Promise<void> {
    if (!member.isRunning || member.isPaused) return
    let text: string
    try {
      text = await member.metrics()
    } catch {
      return
    }
    const known = this.#durable.get(member)!
    const now = durableOffsets(text)
    for (const [name, offset] of now) raise(known, name, offset)
    this.#settle(member, new Set(now.keys()))
  }

  /** @param told partitions of which all that is durable is known; without it, all of them */
  #settle(member?: Member, told?: ReadonlySet<string>): void {
    this.#open = this.#open.filter((one) => {
      const durable = this.#durable.get(one.member)!.get(one.name) ?? 0
      if (durable >= one.offset) {
        this.checked++
        return false
      }
      if (one.member !== member || told?.has(one.name) === false) return true
      this.violations.push(
        `${one.name}@${one.offset} was committed, but only ${durable} durable in ${member.name}`,
      )
      return false
    })
  }
}

/** By `topic/partition`. */
export function durableOffsets(metrics: string): Map<string, number> {
  return new Map(
    [...metrics.matchAll(DURABLE)].map(([, topic, partition, offset]) => [
      `${topic}/${partition}`,
      Number(offset),
    ]),
  )
}

function raise(known: Map<string, number>, name: string, offset: number): void {
  known.set(name, Math.max(known.get(name) ?? 0, offset))
}

function storeOf(metadata: string | null): string | undefined {
  try {
    return (JSON.parse(metadata ?? '') as { storeId?: string }).storeId
  } catch {
    return undefined
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
