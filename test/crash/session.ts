import { parseBlockFileName } from '../../src/storage/paths.ts'
import { StorageError, type EntryName, type RecordWrite } from '../../src/storage/index.ts'
import { FileSystemError } from '../../src/fs/file-system.ts'
import { checkEverything, checkRange, checkSettledDirectory, type Slots } from './judge.ts'
import type { Message, Topic } from './messages.ts'
import { encodeDelta, type Progress } from './offsets-companion.ts'
import { actionNames, type Action } from './options.ts'
import {
  DATA_PATH,
  ProcessEnded,
  SimulationFailure,
  isHonestRefusal,
  type StoreProcess,
  type Tools,
} from './store-process.ts'

/** What a session has submitted, and how far it was acknowledged. */
export interface Lineage {
  states: readonly Progress[]
  acked: number
  lastSubmission: number
}

/** A running store and the workload on it. */
export class Session {
  readonly #tools: Tools
  readonly #topic: Topic
  readonly #process: StoreProcess
  readonly #lineage: Lineage
  readonly #slots: Slots
  /** Work that runs beside the actions; settles before the session ends in peace. */
  readonly #running = new Set<Promise<void>>()
  /** The first broken promise met by work in the background. */
  #failure: SimulationFailure | undefined
  /** Behind a submission that was refused none of a session is stored. */
  readonly #stream = {}
  /** Whether work may be refused though the store goes on, as when the disk cannot be read. */
  mayRefuse = false
  /** Why work was refused first, with `mayRefuse`. */
  refusal: unknown

  constructor(tools: Tools, topic: Topic, process: StoreProcess, lineage: Lineage, slots: Slots) {
    this.#tools = tools
    this.#topic = topic
    this.#process = process
    this.#lineage = lineage
    this.#slots = slots
  }

  /** Draws and does `count` actions, fewer when the store stops. */
  async act(count: number): Promise<void> {
    const { random, options, coverage, trace } = this.#tools
    const total = actionNames.reduce((sum, name) => sum + options.actions[name], 0)
    for (let done = 0; done < count && this.#process.poison === undefined; done++) {
      let left = random.next() * total
      const action = actionNames.find((name) => (left -= options.actions[name]) < 0) ?? 'submit'
      coverage.add(`action.${action}`)
      trace?.(`action ${action}`)
      await this.perform(action)
      this.#requireNoFailure()
    }
  }

  async perform(action: Action): Promise<void> {
    const process = this.#process
    const { random } = this.#tools
    switch (action) {
      case 'submit':
        this.submit()
        return this.#process.run(Promise.resolve())
      case 'submitAndWait':
        this.submit()
        return this.drain()
      case 'wait':
        return this.drain()
      case 'passTime':
        return process.pass(random.between(1, 30))
      case 'readEntry':
      case 'readRange':
      case 'readPoint':
        return this.#read(action)
      case 'fold':
        return this.#fold()
      case 'foldAll':
        return this.#foldCrowd()
      case 'settle':
        return this.#settle()
      case 'checkpoint':
        this.checkpoint()
        if (random.chance(this.#tools.options.checkpointTwiceChance)) this.checkpoint()
        return random.chance(0.5) ? this.drain() : process.run(Promise.resolve())
    }
  }

  /** Waits for everything submitted and begun. */
  async drain(): Promise<void> {
    await this.#process.run(Promise.all(this.#running))
    this.#requireNoFailure()
  }

  /** Submits the next messages of one or more partitions as one atom. */
  submit(): void {
    const { options, random } = this.#tools
    const count = random.chance(0.3) ? random.between(1, options.partitions) : 1
    const partitions = Array.from({ length: count }, () => random.below(options.partitions))
    this.submitFrom(partitions, () => random.between(1, options.messagesPerSubmissionMax))
  }

  /** Submits the next `messageCount()` messages of each partition; the acknowledgement is noted when it comes. */
  submitFrom(partitions: readonly number[], messageCount: () => number): void {
    const { coverage, trace } = this.#tools
    const lineage = this.#lineage
    const before = lineage.states.at(-1) as Progress
    const next = [...before.next]
    const writes: RecordWrite[] = []
    for (const partition of partitions) {
      for (const message of this.#take(partition, next, messageCount())) writes.push(message.write)
    }
    coverage.add('submissions')
    if (new Set(writes.map(({ target }) => target)).size > 1) coverage.add('submissions.overEntries')
    const submission = ++lineage.lastSubmission
    const position = lineage.states.length
    lineage.states = [...lineage.states, { submission, next }]
    trace?.(`submitted ${submission}: offsets ${next.join()}`)
    const delta = encodeDelta(submission, before, next)
    this.#background(
      this.#process.storage.submit({ writes, delta, stream: this.#stream }).then(() => {
        const { isDead, poison, turn } = this.#process
        if (isDead) return
        // In the same turn it may have been on its way already.
        if (poison !== undefined && turn > poison.turn)
          throw new SimulationFailure(`submission ${submission} acknowledged after a failure`)
        if (lineage.acked !== position - 1)
          throw new SimulationFailure(`submission ${submission} acknowledged out of order`)
        lineage.acked = position
        trace?.(`acknowledged ${submission}`)
        coverage.add('acknowledged')
      }),
    )
  }

  #take(partition: number, next: number[], count: number): Message[] {
    const messages: Message[] = []
    for (let taken = 0; taken < count; taken++) {
      const offset = next[partition] as number
      const message = this.#topic.at(partition, offset)
      if (message !== undefined) messages.push(message)
      next[partition] = offset + 1
    }
    return messages
  }

  /** After a failure everything ends, with a refusal. */
  async endPoisoned(): Promise<void> {
    const process = this.#process
    await this.drain()
    await this.#expectRefusal(
      process.storage.submit({ writes: [], delta: new Uint8Array(0) }),
      'a submission',
    )
    await this.#expectRefusal(process.storage.close(), 'close')
  }

  async #expectRefusal(work: Promise<void>, what: string): Promise<void> {
    try {
      await this.#process.run(work)
    } catch (error) {
      if (error instanceof SimulationFailure || error instanceof ProcessEnded) throw error
      if (isHonestRefusal(error)) return
      throw new SimulationFailure(`${what} of a stopped store: ${String(error)}`, { cause: error })
    }
    throw new SimulationFailure(`${what} of a stopped store succeeded`)
  }

  #background(work: Promise<unknown>): void {
    const guarded = work.then(
      () => undefined,
      (error: unknown) => {
        if (this.#process.isDead) return
        if (this.#process.poison !== undefined && isHonestRefusal(error)) return
        if (this.mayRefuse && (isHonestRefusal(error) || isUnreadable(error))) {
          this.refusal ??= error
          return
        }
        this.#failure ??=
          error instanceof SimulationFailure
            ? error
            : new SimulationFailure(`refused: ${describe(error)}`, { cause: error })
      },
    )
    this.#running.add(guarded)
    void guarded.then(() => this.#running.delete(guarded))
  }

  #requireNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Begins a checkpoint. */
  checkpoint(): void {
    this.#background(this.#process.storage.checkpoint())
  }

  /** Begins to fold every block that has a WAL. */
  foldAll(): void {
    for (const target of this.#topic.targets) {
      for (const id of this.#openBlocks(target)) this.#background(this.#foldBlock(target, id))
    }
  }

  async #foldBlock(target: EntryName, id: number): Promise<void> {
    const { disk, storage } = this.#process
    const before = disk.operations
    const isCold = await storage.fold(target, id)
    // A fold that does not begin touches nothing; one that gives up has synced at least.
    if (!isCold && disk.operations > before + 2) this.#tools.coverage.add('folds.aborted')
  }

  #openBlocks(target: EntryName): number[] {
    const directory = `${DATA_PATH}/${target.bucket}/${target.entry}/.wal`
    const names = this.#process.disk.paths(directory).map((path) => path.slice(directory.length + 1))
    const ids = names.map((name) => parseBlockFileName(name)?.blockId)
    return ids.filter((id) => id !== undefined).map(Number)
  }

  async #fold(): Promise<void> {
    const { random } = this.#tools
    const target = random.pick(this.#topic.targets)
    const ids = this.#openBlocks(target)
    if (ids.length === 0) return this.drain()
    this.#background(this.#foldBlock(target, random.pick(ids)))
    // New records shall meet the running fold.
    if (random.chance(0.3)) await this.#process.run(Promise.resolve())
    if (random.chance(0.6)) this.submit()
    return random.chance(0.5) ? this.drain() : this.#process.run(Promise.resolve())
  }

  /** Many blocks at once, on demand and by the store itself, which goes through a list: each is folded once. */
  async #foldCrowd(): Promise<void> {
    const { random, options } = this.#tools
    const partition = random.below(options.partitions)
    for (let left = random.between(3, 4); left > 0; left--)
      this.submitFrom([partition], () => random.between(6, 8))
    await this.drain()
    if (random.chance(0.3)) await this.#process.pass(random.between(1, 6))
    const open = this.#topic.targets.flatMap((target) =>
      this.#openBlocks(target).map((id) => ({ target, id })),
    )
    // The newest blocks come last in the store's own list: they are cold when it gets there.
    for (const { target, id } of open.reverse().slice(0, Math.ceil(open.length / 2)))
      this.#background(this.#foldBlock(target, id))
    if (random.chance(0.3)) await this.#process.run(Promise.resolve())
    this.#background(this.#process.storage.settle())
    return this.drain()
  }

  async #settle(): Promise<void> {
    await this.drain()
    this.#background(this.#process.storage.settle())
    await this.drain()
    if (this.#process.poison !== undefined) return
    checkSettledDirectory(this.#process.disk)
    this.#tools.coverage.add('settled')
  }

  async #read(action: 'readEntry' | 'readRange' | 'readPoint'): Promise<void> {
    const { random } = this.#tools
    const process = this.#process
    const lineage = this.#lineage
    const floor = (lineage.states[lineage.acked] as Progress).next
    try {
      if (action === 'readPoint') return await process.run(this.#readPoint())
      // What is submitted while this runs may be seen: nothing is, the caller waits.
      const ceiling = (lineage.states.at(-1) as Progress).next
      const seen = new Map(this.#slots)
      if (action === 'readEntry') {
        await process.run(checkEverything(process, this.#topic, { floor, ceiling }, seen))
        return
      }
      const target = random.pick(this.#topic.targets)
      const known = [...this.#slots.values()].sort((a, b) => (a < b ? -1 : 1))
      const startUs = known[random.below(known.length)] ?? 0n
      const stopUs = startUs + BigInt(random.between(0, 20_000))
      const inRange = new Set<string>()
      await process.run(checkRange(process, this.#topic, target, { startUs, stopUs }, ceiling, seen, inRange))
      for (const [identity, slotUs] of this.#slots) {
        const message = this.#topic.byIdentity(identity)
        const isAsked = message?.write.target === target && slotUs >= startUs && slotUs < stopUs
        if (isAsked !== inRange.has(identity) && (isAsked || slotUs < startUs || slotUs >= stopUs))
          throw new SimulationFailure(`range [${startUs}, ${stopUs}) is wrong about ${identity} at ${slotUs}`)
      }
    } catch (error) {
      if (error instanceof SimulationFailure || error instanceof ProcessEnded) throw error
      if (process.poison !== undefined) return
      throw new SimulationFailure(`${action} failed: ${describe(error)}`, { cause: error })
    }
  }

  async #readPoint(): Promise<void> {
    const { random } = this.#tools
    const known = [...this.#slots]
    if (known.length === 0) return
    const [identity, slotUs] = random.pick(known)
    const { target } = (this.#topic.byIdentity(identity) as Message).write
    const record = await this.#process.storage.get(target, slotUs)
    const found = record?.labels[record.labels.indexOf('offset') + 1]
    if (found !== identity) throw new SimulationFailure(`${identity} at ${slotUs} is read as ${found}`)
  }
}

/** A file that cannot be read counts as damaged: for what needs it, and for nothing else. */
function isUnreadable(error: unknown): boolean {
  return error instanceof StorageError && error.cause instanceof FileSystemError
}

export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
