import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { openDirectory, verifyDirectory } from '../../src/storage/index.ts'
import { nodeFiles } from '../support/independent/files.ts'
import type { Random } from '../support/random.ts'
import { countChecksums } from './checksums.ts'
import type { Expectation, Verdict } from './expectation.ts'
import { deltaOf, openInteropStore, payOwed, type InteropStore, type Profile } from './interop-store.ts'
import type { MessageSource } from './messages.ts'
import type { InteropReport, VisitOutcome } from './report.ts'
import { readThroughSediment, type Shown } from './shown.ts'
import { StockServer } from './stock-server.ts'

/** A directory of ours. */
export interface Subject {
  readonly label: string
  readonly profile: Profile
  readonly messages: MessageSource
}

/** What the server did to a directory of ours. */
export interface Visit {
  /** The directory as the server left it. */
  readonly visited: string
  /** Ours had been killed before. */
  readonly isAfterKill: boolean
  /** For people, and the key of its row in the report. */
  readonly what: string
}

const SHOWN_MAX = 3
const SHOWN_CHARACTERS = 240
/** Messages that Sediment goes on with after a visit. */
const MESSAGES_AFTER_VISIT = 80
const SUBMISSION_MESSAGES = 16
/** A directory is opened anew for each point read. */
const POINT_READ_EVERY = 20
/** Shows directories to the real server and to Sediment, and keeps count of what they showed. */
export class Examination {
  readonly report: InteropReport
  readonly #binary: string
  readonly #folder: string
  readonly #random: Random
  readonly #log: (line: string) => void
  readonly #servers: StockServer[] = []
  #copies = 0

  constructor(
    binary: string,
    folder: string,
    random: Random,
    report: InteropReport,
    log: (line: string) => void,
  ) {
    this.#binary = binary
    this.#folder = folder
    this.#random = random
    this.report = report
    this.#log = log
  }

  async copy(dataPath: string): Promise<string> {
    const path = join(this.#folder, `copy-${this.#copies++}`)
    await cp(dataPath, path, { recursive: true })
    return path
  }

  /** Number of the next copy. */
  get copies(): number {
    return this.#copies
  }

  async removeCopies(from: number): Promise<void> {
    for (let copy = from; copy < this.#copies; copy++)
      await rm(join(this.#folder, `copy-${copy}`), { recursive: true, force: true })
  }

  /** Leaves no server running; for every way out. */
  async end(): Promise<void> {
    for (const server of this.#servers.splice(0)) await server.kill()
  }

  fail({ label, profile }: Subject, what: string): void {
    const failure = `${label} (${profile}): ${what}`
    this.report.failures.push(failure)
    this.#log(`FAILED: ${failure}`)
  }

  /** `undefined`, and a failure in the report, when it does not start. */
  async startServer(subject: Subject, dataPath: string): Promise<StockServer | undefined> {
    try {
      const server = await StockServer.start(this.#binary, dataPath)
      this.#servers.push(server)
      if (this.report.serverVersion === '') this.report.serverVersion = await server.client.version()
      return server
    } catch (error) {
      this.fail(subject, error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  /** @returns whether the server shows everything right */
  judgeInServer(subject: Subject, expectation: Expectation, shown: Shown, visit?: Visit): boolean {
    const verdict = expectation.judge(shown)
    this.report.recordsInServer += verdict.right - verdict.inFlight
    this.report.inFlightInServer += verdict.inFlight
    const said = brokenPromises(verdict, visit)
    if (said.length > 0) this.fail(subject, `in the server${visit ? `, ${visit.what}` : ''}: ${some(said)}`)
    return said.length === 0
  }

  /** Ends the server, as often by a kill as by a clean stop. @returns which */
  async endServer(server: StockServer): Promise<'killed' | 'stopped'> {
    const isKill = this.#random.chance(0.5)
    if (isKill) await server.kill()
    else await server.stop()
    if (isKill) this.report.server.kills++
    else this.report.server.stops++
    return isKill ? 'killed' : 'stopped'
  }

  /**
   * Sediment opens a copy of what the server left, goes on writing, settles, and shows everything again.
   * @returns false when the start was refused or a promise broken
   */
  async openVisited(subject: Subject, expectation: Expectation, visit: Visit): Promise<boolean> {
    const outcome = await this.#openOnce(subject, expectation, visit)
    const row = (this.report.visits[visit.what] ??= {
      right: 0,
      wrong: 0,
      refused: 0,
    })
    row[outcome]++
    return outcome === 'right'
  }

  async #openOnce(subject: Subject, expectation: Expectation, visit: Visit): Promise<keyof VisitOutcome> {
    const tested = await this.copy(visit.visited)
    const lostBefore = this.report.server.lostByItself
    const isSaidBefore = visit.isAfterKill && (await this.#saysWhatReturns(tested))
    let store: InteropStore
    try {
      store = await openInteropStore(tested, subject.profile)
    } catch (error) {
      this.fail(subject, `refused start, ${visit.what}: ${short(String(error))}`)
      return 'refused'
    }
    const { companion, storage } = store
    try {
      if (companion.next < expectation.acknowledged) {
        const forgotten = expectation.acknowledged - companion.next
        this.fail(subject, `${forgotten} messages are forgotten, ${visit.what}`)
        return 'wrong'
      }
      expectation.acknowledged = companion.next
      expectation.tried = companion.next
      this.report.owed += await payOwed(store, subject.messages)
      const opened = await readThroughSediment(storage)
      const verdict = expectation.judge(opened)
      this.#countCameBack(verdict, visit)
      if (verdict.cameBack.length > 0 && !isSaidBefore)
        this.fail(subject, `${some(verdict.cameBack)} came back, and verify had not said so`)
      if (!(await this.#judgeInSediment(subject, expectation, opened, visit))) return 'wrong'
      expectation.settle(opened, true)
      await writeOn(subject, expectation, store)
      await storage.settle()
      await storage.addChecksums()
    } catch (error) {
      this.fail(subject, `going on, ${visit.what}: ${short(String(error))}`)
      return 'wrong'
    } finally {
      await store.close().catch((error: unknown) => this.fail(subject, `closing: ${short(String(error))}`))
    }
    if (!(await this.#judgeSettled(subject, expectation, visit, tested))) return 'wrong'
    // What the server has lost by itself, its files say too.
    if (this.report.server.lostByItself > lostBefore) return 'right'
    if (!(await this.#isVerified(subject, visit, tested))) return 'wrong'
    if (this.#random.chance(0.3)) await this.#showAgain(subject, expectation, visit, tested)
    return 'right'
  }

  async #saysWhatReturns(dataPath: string): Promise<boolean> {
    const fs = await NodeFileSystem.open()
    try {
      const { findings } = await verifyDirectory(fs, dataPath, { checkContent: false })
      return findings.some(({ message }) => message.startsWith('ReductStore does not have'))
    } finally {
      await fs.close()
    }
  }

  async #judgeSettled(
    subject: Subject,
    expectation: Expectation,
    visit: Visit,
    tested: string,
  ): Promise<boolean> {
    const fs = await NodeFileSystem.open()
    try {
      const shown = await readThroughSediment(await openDirectory(fs, tested), POINT_READ_EVERY)
      if (!(await this.#judgeInSediment(subject, expectation, shown, visit))) return false
      expectation.settle(shown, true)
    } finally {
      await fs.close()
    }
    const counted = countChecksums(nodeFiles(visit.visited), nodeFiles(tested))
    for (const key of ['savedWith', 'savedWithout', 'othersWithout'] as const)
      this.report.checksums[key] += counted[key]
    return true
  }

  async #isVerified(subject: Subject, visit: Visit, tested: string): Promise<boolean> {
    const fs = await NodeFileSystem.open()
    try {
      const { findings, contentUnchecked } = await verifyDirectory(fs, tested, { checkContent: true })
      const found = findings.map(({ path, message }) => `${path}: ${message}`)
      if (contentUnchecked > 0) found.push(`${contentUnchecked} records have no CRC-32`)
      if (found.length === 0) return true
      this.fail(subject, `verify, ${visit.what}: ${some(found)}`)
      return false
    } finally {
      await fs.close()
    }
  }

  /** What Sediment settled after the visit goes back to the server. */
  async #showAgain(subject: Subject, expectation: Expectation, visit: Visit, tested: string): Promise<void> {
    const server = await this.startServer(subject, tested)
    if (server === undefined) return
    const shown = await server.client.readAll()
    await server.kill()
    this.judgeInServer(subject, expectation, shown, visit)
    const said = [...server.damageLines(), ...server.warnings()]
    if (said.length > 0) this.fail(subject, `the server said after ${visit.what}: ${some(said)}`)
    this.report.returned++
  }

  #countCameBack({ cameBack }: Verdict, { isAfterKill }: Visit): void {
    if (cameBack.length === 0 || !isAfterKill) return
    this.report.open.removedCameBack += cameBack.length
    this.report.open.visitsWithRemovedCameBack++
  }

  async #judgeInSediment(
    subject: Subject,
    expectation: Expectation,
    shown: Shown,
    visit: Visit,
  ): Promise<boolean> {
    const verdict = expectation.judge(shown)
    this.report.recordsInSediment += verdict.right
    const said = brokenPromises(verdict, visit)
    if (said.length === 0) return true
    // The server itself may have lost what it acknowledged: then nobody can show it.
    const server = await this.startServer(subject, await this.copy(visit.visited))
    if (server === undefined) return false
    const shownByServer = await server.client.readAll()
    await server.kill()
    const lost = new Set(brokenPromises(expectation.judge(shownByServer), visit))
    const ofUs = said.filter((what) => !lost.has(what))
    this.report.server.lostByItself += said.length - ofUs.length
    if (ofUs.length > 0) this.fail(subject, `in Sediment, ${visit.what}: ${some(ofUs)}`)
    return ofUs.length === 0
  }
}

/** Messages that follow, as a source would deliver them. */
async function writeOn(
  { messages }: Subject,
  expectation: Expectation,
  { storage, companion }: InteropStore,
): Promise<void> {
  const end = companion.next + MESSAGES_AFTER_VISIT
  for (let from = companion.next; from < end; from += SUBMISSION_MESSAGES) {
    const to = from + SUBMISSION_MESSAGES
    const writes = Array.from({ length: SUBMISSION_MESSAGES }, (_, index) => messages.at(from + index).write)
    await storage.submit({ writes, delta: deltaOf(from, to) })
  }
  expectation.acknowledged = end
  expectation.tried = end
}

/** A removal between a kill and a start is not known to the log: its records come back, and are counted. */
function brokenPromises(verdict: Verdict, visit: Visit | undefined): string[] {
  const { missing, doubled, wrong, cameBack, missingOfServer } = verdict
  return [
    ...missing.map((what) => `${what} is missing`),
    ...doubled.map((what) => `${what} is there twice`),
    ...wrong,
    ...(visit?.isAfterKill === true ? [] : cameBack.map((what) => `${what} came back`)),
    ...missingOfServer.map((what) => `${what} of the server is missing`),
  ]
}

export function some(lines: readonly string[]): string {
  const more = lines.length > SHOWN_MAX ? ` (and ${lines.length - SHOWN_MAX} more)` : ''
  return `${lines.slice(0, SHOWN_MAX).map(short).join('; ')}${more}`
}

export function short(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)} …` : text
}
