import { Random } from '../support/random.ts'
import type { Disturbance } from './judge.ts'
import type { Member } from './member.ts'

/** What is done to a member. The long ones outlast its session: its partitions go to the others. */
const MEMBER_FAULTS = [
  'kill',
  'kill for long',
  'pause',
  'pause for long',
  'stop',
  'stop for long',
  'stall the disk',
  'fill the disk',
  'kill on a full disk',
] as const
export type MemberFault = (typeof MEMBER_FAULTS)[number]
export const BROKER_FAULTS = ['kill a broker', 'stop a broker'] as const
type BrokerFault = (typeof BROKER_FAULTS)[number]
export type Fault = MemberFault | BrokerFault

interface Node {
  readonly id: number
  start(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
}

export interface NemesisOptions {
  readonly seed: number
  readonly members: readonly Member[]
  readonly nodes: readonly Node[]
  readonly sessionMs: number
  /** Below the reserve of the sinks. */
  readonly leftBytes: number
  /** Resolves when all brokers hold all that is acknowledged: then another one may go. */
  readonly untilReplicated: () => Promise<void>
  /** A member does not run now: what it has can be looked at. */
  readonly onDown: (member: Member) => Promise<void>
  readonly log: (line: string) => void
}

const MEMBERS_DISTURBED_MAX = 2
const NEEDS_DISK: ReadonlySet<Fault> = new Set(['stall the disk', 'fill the disk', 'kill on a full disk'])

/** Does everything that can happen to a group of sinks, by a schedule of the seed, until it is told to stop. */
export class Nemesis {
  /** How often each fault has been done. */
  readonly counts = new Map<Fault, number>()
  readonly disturbances: Disturbance[] = []
  readonly #options: NemesisOptions
  readonly #random: Random
  readonly #busy = new Set<Member>()
  #bag: MemberFault[] = []
  #isStopping = false
  #loops: Promise<void>[] = []
  #wake: () => void = () => {}
  #stopped: Promise<void>

  constructor(options: NemesisOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#stopped = new Promise((resolve) => (this.#wake = resolve))
  }

  /** What can be done to these members. */
  get memberFaults(): readonly MemberFault[] {
    const canFail = this.#options.members.every(({ disk }) => disk.canFail)
    return MEMBER_FAULTS.filter((fault) => canFail || !NEEDS_DISK.has(fault))
  }

  /** @returns rejects when something of the schedule could not be done */
  start(): Promise<void> {
    const lanes = Array.from({ length: MEMBERS_DISTURBED_MAX }, (_, lane) =>
      this.#disturbMembers(lane * 1_500),
    )
    this.#loops = [...lanes, this.#disturbBrokers(new Random(this.#random.seed()))]
    return Promise.all(this.#loops).then(() => {})
  }

  /** Ends what is under way, and leaves everything running. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#wake()
    await Promise.allSettled(this.#loops)
  }

  async #disturbMembers(delayMs: number): Promise<void> {
    const { members } = this.#options
    await this.#sleep(delayMs)
    while (!this.#isStopping) {
      const free = members.filter((member) => !this.#busy.has(member))
      const member = this.#random.pick(free)
      const fault = this.#nextFault()
      this.#busy.add(member)
      try {
        this.#note(fault, member.name)
        const random = new Random(this.#random.seed())
        await this.#timed(member.name, () => this.#disturb(member, fault, random))
      } finally {
        this.#busy.delete(member)
      }
      await this.#sleep(this.#random.between(500, 3_000))
    }
  }

  /** All of them come before one comes again. */
  #nextFault(): MemberFault {
    if (this.#bag.length === 0) this.#bag = [...this.memberFaults]
    const [fault] = this.#bag.splice(this.#random.below(this.#bag.length), 1)
    return fault!
  }

  async #disturb(member: Member, fault: MemberFault, random: Random): Promise<void> {
    const { sessionMs, leftBytes, onDown } = this.#options
    const longMs = sessionMs + random.between(1_000, 5_000)
    switch (fault) {
      case 'kill':
        await member.kill()
        return member.start()
      case 'kill for long':
        await member.kill()
        await Promise.all([onDown(member), this.#sleep(longMs)])
        return member.start()
      case 'pause':
      case 'pause for long':
        member.pause()
        await this.#sleep(fault === 'pause' ? random.between(500, sessionMs / 2) : longMs)
        return member.unpause()
      case 'stop':
        await member.stop()
        return member.start()
      case 'stop for long':
        await member.stop()
        await Promise.all([onDown(member), this.#sleep(longMs)])
        return member.start()
      case 'stall the disk':
        return member.disk.stall(random.between(1_000, 2 * sessionMs))
      case 'fill the disk':
        return this.#whileFull(member, leftBytes, () => this.#sleep(random.between(2_000, sessionMs)))
      case 'kill on a full disk':
        return this.#whileFull(member, leftBytes, async () => {
          await this.#sleep(random.between(1_000, 2_000))
          await member.kill()
          member.start()
          await this.#sleep(random.between(2_000, 4_000))
        })
    }
  }

  async #whileFull(member: Member, leftBytes: number, work: () => Promise<void>): Promise<void> {
    member.fillDisk(leftBytes)
    try {
      await work()
    } finally {
      member.freeDisk()
    }
  }

  async #disturbBrokers(random: Random): Promise<void> {
    const { nodes, untilReplicated } = this.#options
    for (let turn = random.below(2); ; turn++) {
      await this.#sleep(random.between(3_000, 12_000))
      if (this.#isStopping) return
      const node = random.pick(nodes)
      const fault = BROKER_FAULTS[turn % BROKER_FAULTS.length]!
      this.#note(fault, `broker ${node.id}`)
      await this.#timed(undefined, async () => {
        await (fault === 'kill a broker' ? node.kill() : node.stop())
        await this.#sleep(random.between(0, 6_000))
        await node.start()
        await untilReplicated()
      })
    }
  }

  async #timed(store: string | undefined, work: () => Promise<void>): Promise<void> {
    const startMs = Date.now()
    try {
      await work()
    } finally {
      this.disturbances.push({ store, startMs, endMs: Date.now() })
    }
  }

  #note(fault: Fault, who: string): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1)
    this.#options.log(`${fault}: ${who}`)
  }

  /** Shorter when it is to stop. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      void this.#stopped.then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
