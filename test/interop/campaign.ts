import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../support/random.ts'
import { changedFiles, hashFiles } from './changed-files.ts'
import { Examination, short, some, type Subject } from './examination.ts'
import { Expectation, type Fate } from './expectation.ts'
import { CHANGED_LABEL, Messages } from './messages.ts'
import type { InteropReport } from './report.ts'
import { changeThroughServer } from './stock-changes.ts'
import type { StockServer } from './stock-server.ts'
import { WriterLife, type MessageChange, type Stop } from './writer-life.ts'

export interface CampaignOptions {
  readonly binary: string
  /** Where directories are made; those of the first failures stay. */
  readonly folder: string
  /** Killed directories to compare. */
  readonly killed: number
  readonly seed: number
  readonly report: InteropReport
  readonly log: (line: string) => void
  /** Ends the run behind the directory it is at. */
  readonly signal: AbortSignal
}

/** When a life of the writer ends, in turn. */
const AIMS = ['any', 'acknowledged', 'recovery', 'any', 'stop', 'acknowledged'] as const
type Aim = (typeof AIMS)[number]
const STOPS: readonly Stop[] = ['settle', 'fold', 'unfolded']

const KILLS_PER_DIRECTORY = 5
const ACKNOWLEDGEMENTS_MAX = 60
/** Directories of so many failures are kept. */
const KEPT_MAX = 3

/** A directory that is being written and killed. */
interface LivingSubject extends Subject {
  readonly messagesSeed: number
  dataPath: string
  expectation: Expectation
}

/**
 * Kills the real engine at random moments until `killed` directories have been shown to the server and, as the server
 * left them, to Sediment; every fifth time it stops by itself. What is wrong goes into the report.
 */
export async function runCampaign(options: CampaignOptions): Promise<void> {
  await new Campaign(options).run()
}

class Campaign {
  readonly #options: CampaignOptions
  readonly #report: InteropReport
  readonly #random: Random
  readonly #examination: Examination
  #life: WriterLife | undefined
  #turn = 0
  #visits = 0
  #kept = 0

  constructor(options: CampaignOptions) {
    const { binary, folder, seed, report, log } = options
    this.#options = options
    this.#report = report
    this.#random = new Random(seed)
    this.#examination = new Examination(binary, folder, new Random(this.#random.seed()), report, log)
  }

  async run(): Promise<void> {
    const { killed, signal } = this.#options
    for (let index = 0; this.#report.killed < killed && index < killed && !signal.aborted; index++) {
      const messagesSeed = this.#random.below(2 ** 20)
      const messages = new Messages(messagesSeed)
      const dataPath = join(this.#options.folder, `${index}`)
      const subject: LivingSubject = {
        label: `directory ${index}`,
        profile: index % 2 === 0 ? 'inline' : 'direct',
        messages,
        messagesSeed,
        dataPath,
        expectation: new Expectation(messages),
      }
      const failuresBefore = this.#report.failures.length
      const copiesBefore = this.#examination.copies
      try {
        await this.#live(subject, STOPS[index % STOPS.length] as Stop)
      } catch (error) {
        this.#examination.fail(subject, `it went no further: ${short(String(error))}`)
      } finally {
        await this.#life?.kill()
        await this.#examination.end()
      }
      if (this.#report.failures.length > failuresBefore && this.#kept++ < KEPT_MAX) continue
      await rm(dataPath, { recursive: true, force: true })
      await this.#examination.removeCopies(copiesBefore)
    }
  }

  async #live(subject: LivingSubject, stop: Stop): Promise<void> {
    for (let kill = 0; kill < KILLS_PER_DIRECTORY; kill++) {
      if (this.#report.killed >= this.#options.killed || this.#options.signal.aborted) break
      const life = await this.#killOnce(subject, AIMS[this.#turn++ % AIMS.length] as Aim)
      if (life === undefined || !(await this.#visitKilled(subject, life))) return
    }
    await this.#stopCleanly(subject, stop)
  }

  /** @returns `undefined` when the life did not end as it should */
  async #killOnce(subject: LivingSubject, aim: Aim): Promise<WriterLife | undefined> {
    const life = this.#start(subject)
    if (aim === 'recovery') {
      await life.untilRecovering()
      await sleep(this.#random.next() * 25)
    } else {
      await life.untilOpen()
      // By its progress, so that a busy machine has as much to show.
      await life.untilAcknowledged(this.#random.between(0, ACKNOWLEDGEMENTS_MAX))
      if (aim === 'any') await sleep(this.#random.next() * 100)
      if (aim === 'acknowledged') await sleep(this.#random.next() * 3)
      if (aim === 'stop') {
        life.stop('fold')
        await sleep(this.#random.next() * 120)
      }
    }
    await life.kill()
    this.#learn(subject, life)
    if (life.refusal !== undefined || life.errors !== '') {
      this.#examination.fail(subject, `our own start: ${short(life.refusal ?? life.errors)}`)
      return undefined
    }
    if (life.hasClosed) return life
    this.#report.killed++
    if (life.openedAt === undefined) this.#report.killedInRecovery++
    if (aim === 'stop') this.#report.killedWhileStopping++
    return life
  }

  #start({ dataPath, profile, messagesSeed }: LivingSubject): WriterLife {
    this.#life = new WriterLife(dataPath, profile, messagesSeed, this.#random.seed())
    return this.#life
  }

  #learn(subject: LivingSubject, life: WriterLife): void {
    const { expectation } = subject
    const { writer } = this.#report
    if (life.openedAt !== undefined) {
      if (life.openedAt < expectation.acknowledged) {
        const forgotten = expectation.acknowledged - life.openedAt
        this.#examination.fail(subject, `a start after a kill forgot ${forgotten} messages`)
      }
      writer.durableUnacknowledged += Math.max(0, life.openedAt - expectation.acknowledged)
      expectation.acknowledged = Math.max(life.openedAt, life.acknowledged)
      expectation.tried = Math.max(life.openedAt, life.tried)
    }
    for (const change of life.changes) {
      eachFate(expectation, change, (number, fate) => expectation.changed(number, fate))
      if (change.value === undefined) writer.removed += change.numbers.length
      else writer.relabelled += change.numbers.length
    }
    if (life.changeInFlight !== undefined)
      eachFate(expectation, life.changeInFlight, (number, fate) => expectation.perhapsChanged(number, fate))
    for (const key of ['seals', 'checkpoints', 'late', 'reopened', 'directBytes'] as const)
      writer[key] += life.counts[key]
  }

  /**
   * The server opens a copy of a killed directory, and Sediment what the server leaves.
   * @returns whether the directory itself is as it should be
   */
  async #visitKilled(subject: LivingSubject, life: WriterLife): Promise<boolean> {
    const visited = await this.#examination.copy(subject.dataPath)
    const server = await this.#examination.startServer(subject, visited)
    if (server === undefined) return false
    const shown = await server.client.readAll()
    if (!this.#examination.judgeInServer(subject, subject.expectation, shown)) {
      await server.kill()
      return false
    }
    // A change in flight may be durable in the log and not yet in the files that the server reads.
    subject.expectation.settle(shown, life.openedAt !== undefined && life.changeInFlight === undefined)
    const after = subject.expectation.clone()
    const isChanged = this.#random.chance(0.67)
    if (isChanged) await this.#letServerWrite(server, after)
    const end = await this.#examination.endServer(server)

    const what = `${isChanged ? 'changed' : 'looked at'} by the server after a kill, server ${end}`
    const isRight = await this.#examination.openVisited(subject, after.clone(), {
      visited,
      isAfterKill: true,
      what,
    })
    this.#options.log(
      `killed ${this.#report.killed}/${this.#options.killed}: ${subject.expectation.acknowledged} acknowledged, ` +
        `${shown.records.length} in the server; ${what}: ${isRight ? 'right' : 'NOT right'} in Sediment`,
    )
    // What the server changed is tried once; what it looked at goes on living, and dying.
    if (isRight && !isChanged && this.#random.chance(0.6)) {
      subject.dataPath = visited
      subject.expectation = after
      this.#report.visitsContinued++
    }
    return true
  }

  async #stopCleanly(subject: LivingSubject, how: Stop): Promise<void> {
    const life = this.#start(subject)
    await life.untilOpen()
    await life.untilAcknowledged(ACKNOWLEDGEMENTS_MAX / 2)
    life.stop(how)
    await life.ended
    this.#learn(subject, life)
    const { expectation } = subject
    if (!life.hasClosed || expectation.acknowledged !== expectation.tried) {
      this.#examination.fail(subject, `it did not stop: ${short(life.refusal ?? life.errors)}`)
      return
    }
    if (how === 'settle') this.#report.settled++
    else if (how === 'fold') this.#report.folded++
    else this.#report.unfolded++

    const visited = await this.#examination.copy(subject.dataPath)
    const before = hashFiles(visited)
    const looking = await this.#examination.startServer(subject, visited)
    if (looking === undefined) return
    const shown = await looking.client.readAll()
    const isRight = this.#examination.judgeInServer(subject, expectation, shown)
    await looking.stop()
    if (how !== 'unfolded') this.#requireUntouched(subject, looking, before, visited)
    if (!isRight) return
    expectation.settle(shown, true)

    const server = await this.#examination.startServer(subject, visited)
    if (server === undefined) return
    const after = expectation.clone()
    await this.#letServerWrite(server, after)
    const end = await this.#examination.endServer(server)
    const what = `changed by the server after a clean stop (${how}), server ${end}`
    const isRightAfter = await this.#examination.openVisited(subject, after, {
      visited,
      isAfterKill: false,
      what,
    })
    this.#options.log(
      `stopped: ${shown.records.length} in the server; ${what}: ${isRightAfter ? 'right' : 'NOT right'} in Sediment`,
    )
  }

  /** The server finds a clean directory clean, and changes nothing in it but what it makes itself. */
  #requireUntouched(
    subject: Subject,
    server: StockServer,
    before: ReadonlyMap<string, string>,
    visited: string,
  ): void {
    const said = [...server.damageLines(), ...server.warnings()]
    if (said.length > 0)
      this.#examination.fail(subject, `the server said of a clean directory: ${some(said)}`)
    // Fields that it does not know go from the settings at each of its stops.
    const changed = changedFiles(before, hashFiles(visited)).filter(
      (path) => !path.endsWith('bucket.settings'),
    )
    if (changed.length > 0)
      this.#examination.fail(subject, `the server changed a clean directory: ${some(changed)}`)
  }

  async #letServerWrite(server: StockServer, after: Expectation): Promise<void> {
    const done = await changeThroughServer(server.client, after, this.#random, ++this.#visits)
    const { server: counts } = this.#report
    for (const key of ['written', 'relabelled', 'removed', 'bucketsMade'] as const) counts[key] += done[key]
  }
}

function eachFate(
  expectation: Expectation,
  { numbers, value }: MessageChange,
  use: (number: number, fate: Fate) => void,
): void {
  for (const number of numbers) {
    use(
      number,
      value === undefined
        ? { kind: 'removed', by: 'us' }
        : expectation.relabelled(number, CHANGED_LABEL, value),
    )
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
