import type { Member } from './member.ts'
import { durableOffsets } from './sampler.ts'

/** What a killed member, started again at once, has cost. */
export interface RestartFigures {
  readonly member: string
  /** From the kill until it had its partitions again. */
  readonly backMs: number
  /** From the kill until each of `STAGES`, in their order. */
  readonly stagesMs: readonly number[]
  /** Processor time that this took, which does not depend on who else runs. */
  readonly backCpuMs: number
  /** From the kill until it stored the first record. */
  readonly storingMs: number
  /** The longest that one of the others stored nothing, meanwhile. */
  readonly othersPauseMs: number
  /** Assignments that the others got meanwhile: no partition of theirs should move. */
  readonly othersAssignments: number
  readonly partitions: readonly [before: number, after: number]
}

/** Where the time goes until the partitions are back, and the line of the log that ends each. */
export const STAGES = [
  ['the program is loaded', 'opening'],
  ['the store is recovered', 'data directory recovered'],
  ['the group is joined', 'joined the consumer group'],
  ['the partitions are known', 'partitions assigned'],
] as const

const LOOK_MS = 40
const LIMIT_MS = 60_000
/** The others are watched for so long behind the return. */
const AFTER_MS = 1_500

/** Kills one member while records flow, and starts it again at once. */
export async function killAndRestart(member: Member, others: readonly Member[]): Promise<RestartFigures> {
  const before = durableOffsets(await member.metrics())
  const assignmentsBefore = others.map(({ assignments }) => assignments)
  const watches = others.map((one) => new ProgressWatch(one))
  const watching = Promise.all(watches.map((watch) => watch.run()))
  const killedMs = performance.now()
  const killedEpochMs = Date.now()
  await member.kill()
  member.start()
  let backMs = Infinity
  let backCpuMs = 0
  let storingMs = Infinity
  let after = new Map<string, number>()
  while (storingMs === Infinity && performance.now() - killedMs < LIMIT_MS) {
    if (backMs === Infinity && member.assignments > 0) {
      backMs = performance.now() - killedMs
      backCpuMs = member.cpuMs
    }
    const now = await member.metrics().then(durableOffsets, () => new Map<string, number>())
    const isStoring = [...now].some(([name, offset]) => offset > (before.get(name) ?? 0))
    if (backMs < Infinity && isStoring) storingMs = performance.now() - killedMs
    after = now
    await sleep(LOOK_MS)
  }
  await sleep(AFTER_MS)
  for (const watch of watches) watch.stop()
  await watching
  return {
    member: member.name,
    backMs: Math.round(backMs),
    stagesMs: stagesOf(member.log(), killedEpochMs),
    backCpuMs,
    storingMs: Math.round(storingMs),
    othersPauseMs: Math.round(Math.max(...watches.map(({ longestMs }) => longestMs))),
    othersAssignments: others.reduce((sum, one, i) => sum + one.assignments - assignmentsBefore[i]!, 0),
    partitions: [before.size, after.size],
  }
}

function stagesOf(log: string, fromEpochMs: number): number[] {
  const lines = log.split('\n').filter((line) => line.startsWith('{'))
  return STAGES.map(([, message]) => {
    const line = lines.find((one) => one.includes(`"message":"${message}"`))
    const { time } = JSON.parse(line ?? '{}') as { time?: string | number }
    return time === undefined ? NaN : new Date(time).getTime() - fromEpochMs
  })
}

/** The longest time in which nothing became durable in a member. */
class ProgressWatch {
  longestMs = 0
  readonly #member: Member
  #isStopping = false

  constructor(member: Member) {
    this.#member = member
  }

  async run(): Promise<void> {
    let changedMs = performance.now()
    let last = -1
    while (!this.#isStopping) {
      const offsets = await this.#member.metrics().then(durableOffsets, () => undefined)
      const sum = [...(offsets ?? [])].reduce((total, [, offset]) => total + offset, 0)
      const nowMs = performance.now()
      if (offsets !== undefined && sum !== last) {
        last = sum
        changedMs = nowMs
      }
      this.longestMs = Math.max(this.longestMs, nowMs - changedMs)
      await sleep(LOOK_MS)
    }
  }

  stop(): void {
    this.#isStopping = true
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
