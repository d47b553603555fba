import { loadCrc64 } from '../../../src/base/crc64.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import type { EntryName } from '../../../src/storage/index.ts'
import type { Coverage } from '../coverage.ts'
import { checkSettledDirectory } from '../judge.ts'
import { chooseOptions, type SimulationOptions } from '../options.ts'
import { StoreProcess, requireReason, type Tools } from '../store-process.ts'
import { checkSnapshot, type Snapshot } from './check-snapshot.ts'
import type { Command } from './commands.ts'
import { CrashPoints, FRAGILE, Fragility } from './crash-points.ts'
import { evictionOf } from './evicted.ts'
import { Expectation } from './expectation.ts'
import { State, settingsText } from './model.ts'
import { changingSettings, isMove, moving } from './moves.ts'
import { Readers } from './readers.ts'
import { refilling, relabelling, removing, removingRange, writing, type Removed } from './records.ts'
import { allDone, shownBy, stockState } from './shown.ts'
import { knownRecords, type Stage, type Work } from './stage.ts'
import { Uploads } from './uploads.ts'
import { visitClosed } from './visits.ts'

const options: SimulationOptions = {
  ...chooseOptions(1),
  partitions: 1,
  limits: {
    groupBytesMax: 4_000,
    groupRecordsMax: 8,
    directBytesMin: 300,
    directBlocksMax: 2,
    logBytesCheckpoint: 6_000,
    logBytesMax: 40_000,
    unspilledBytesCheckpoint: 1_000_000,
    idleCheckpointMs: 5_000,
    sealIdleMs: 2_000,
    walBytesMax: 100_000,
    holesBytesMin: 40,
    uploadIdleMs: 100_000,
    writeCacheBytesMax: 100_000,
    readCacheBytesMax: 100_000,
    upkeepBytesPerSecond: 1_000_000,
  },
  blocks: { blockBytesMax: 10_000, blockRecordsMax: 3, quota: { kind: 'none', bytes: 0 } },
  pace: 0.2,
  garbage: 0.1,
}
const settingsOfNew = settingsText(options.blocks)

/** The other simulation is about these. */
const quiet: ReadonlySet<Command['kind']> = new Set([
  'write',
  'restart',
  'checkpoint',
  'pass',
  'fold',
  'piece',
])
const QUIET_CHANCE = 0.4
/** Crashes behind a command. */
const AFTER_CHANCE = 0.25
/** Behind those that rely on what was synced. */
const AFTER_SYNC_CHANCE = 0.7
const syncing: ReadonlySet<Command['kind']> = new Set([
  'checkpoint',
  'checksums',
  'refill',
  'finish',
  'labels',
  'settings',
  'renameEntry',
  'removeEntry',
])

/**
 * Plays commands against a store and a model of it. Before operations of the disk, chosen at random, the disk is copied;
 * each copy then crashes in several ways, is recovered – some recoveries crash too –, and must show what was
 * acknowledged, with each change that was under way whole or not at all. After a kill so must stock ReductStore's rules.
 */
export class ChangeSimulation {
  readonly #tools: Tools
  readonly #disk: SimulatedDisk
  readonly #snapshots: Snapshot[] = []
  readonly #perCommandMax: number
  readonly #expectation = new Expectation(new State(settingsOfNew))
  readonly #uploads = new Uploads()
  readonly #readers = new Readers()
  readonly #removedBlocks = new Set<string>()
  #isVisited = false
  #points: CrashPoints<Snapshot>
  #process: StoreProcess
  #removed: Removed | undefined
  #nextId = 0
  #command = 'open'

  /** @param perCommandMax copies of the disk taken during one command */
  constructor(seed: number, coverage: Coverage, perCommandMax = 4) {
    this.#tools = { options, random: new Random(seed), coverage }
    this.#disk = new SimulatedDisk({ seed, afterKill: 'hang' })
    this.#perCommandMax = perCommandMax
    this.#points = new CrashPoints(this.#tools.random, 0)
    this.#process = this.#newProcess()
  }

  async play(commands: readonly Command[]): Promise<void> {
    await loadCrc64()
    await this.#process.open()
    for (const command of commands) await this.#do(command)
    const evictions = (): number => this.#expectation.evictionsCount
    const { storage } = this.#process
    this.#expectation.require(
      'the store',
      await this.#process.run(shownBy(storage, settingsOfNew, evictions)),
    )
    await this.#close()
    for (const snapshot of this.#snapshots) await checkSnapshot(this.#tools, snapshot, settingsOfNew)
  }

  #newProcess(): StoreProcess {
    const fragility = new Fragility()
    const process = new StoreProcess(this.#tools, this.#disk, (place, _operation, call, path) => {
      if (call === 'unlink' && path.endsWith('.meta')) this.#removedBlocks.add(path.replace(/\.meta$/, ''))
      // Content ahead of its frame: the id is that of another block by now.
      if (call === 'write' && path.endsWith('.blk')) this.#removedBlocks.delete(path.replace(/\.blk$/, ''))
      const weight = fragility.of(call, path)
      if (place === 'creation') return
      this.#points.offer(weight, () => this.#snapshot(`${call} ${path}`, weight < FRAGILE ? 1 : 2))
    })
    process.onBlockEvicted = (event) => {
      this.#expectation.evicted(evictionOf(this.#disk, event))
      this.#points.extend(this.#perCommandMax)
    }
    return process
  }

  #snapshot(place: string, powerCuts = 1): Snapshot {
    const disk = this.#disk.fork(this.#tools.random.seed())
    const removed = new Set(this.#removedBlocks)
    const allowed = this.#expectation.allowed()
    const isVisited = this.#isVisited
    return { disk, allowed, place, command: this.#command, removed, powerCuts, isVisited }
  }

  async #do(command: Command): Promise<void> {
    const { random, coverage } = this.#tools
    this.#command = command.kind
    coverage.add(`command.${command.kind}`)
    const pointsMax = quiet.has(command.kind) ? Number(random.chance(QUIET_CHANCE)) : this.#perCommandMax
    this.#points = new CrashPoints(random, pointsMax)
    if (command.kind === 'restart' || command.kind === 'visit') {
      await this.#close()
      if (command.kind === 'visit') {
        visitClosed(this.#disk)
        this.#isVisited = true
        this.#expectation.state.checksummed.clear()
      }
      this.#process = this.#newProcess()
      await this.#process.open()
    } else await this.#work(command)
    requireReason(this.#process, false)
    await this.#settleEvictions()
    if (command.kind === 'checksums') await this.#noteChecksums()
    coverage.add(`during.${command.kind}`, this.#points.points.length)
    this.#snapshots.push(...this.#points.points)
    if (random.chance(syncing.has(command.kind) ? AFTER_SYNC_CHANCE : AFTER_CHANCE))
      this.#snapshots.push(this.#snapshot('the end', syncing.has(command.kind) ? 3 : 1))
    this.#points = new CrashPoints(random, 0)
  }

  async #work(command: Command): Promise<void> {
    const process = this.#process
    const { storage } = process
    if (command.kind === 'pass') return process.pass(60)
    if (command.kind === 'checkpoint') return process.run(storage.checkpoint())
    if (command.kind === 'settle') return process.run(storage.settle())
    const stage = this.#stage()
    const works: Work[] = []
    for (const one of command.kind === 'together' ? command.commands : [command])
      works.push(await this.#ready(stage, one))
    const lag = command.kind === 'together' ? command.lag : 0
    const begun = works.map(async (work, index) => {
      for (let turns = index * lag; turns > 0; turns--) await Promise.resolve()
      await work()
    })
    await process.run(Promise.all(begun))
  }

  #stage(): Stage {
    const uploading = new Set<string>()
    return {
      process: this.#process,
      expectation: this.#expectation,
      touched: new Set(),
      newId: () => String(this.#nextId++),
      hasUploads: (name) => {
        const key = `${name.bucket}/${name.entry}`
        if (this.#uploads.isOpenIn(name)) uploading.add(key)
        return uploading.has(key)
      },
    }
  }

  /** Readies a command: what it will do is decided now. */
  async #ready(stage: Stage, command: Command): Promise<Work> {
    const note = (removed: Removed): void => {
      this.#removed = removed
    }
    for (const name of this.#entryNames()) stage.hasUploads(name)
    if (isMove(command)) {
      await this.#finishReading()
      return moving(stage, command, this.#uploads)
    }
    switch (command.kind) {
      case 'write':
      case 'writeDirect':
        return writing(stage, command)
      case 'refill':
        return refilling(stage, this.#removed)
      case 'labels':
        return relabelling(stage, command)
      case 'remove':
        return removing(stage, command, note)
      case 'removeRange':
        return removingRange(stage, command, note)
      case 'read':
        return this.#readers.opening(stage, command)
      case 'readOn':
        return () => this.#readers.finish()
      case 'begin':
        return this.#uploads.beginning(stage, command)
      case 'attach':
        return this.#uploads.attaching(stage, command)
      case 'beginAgain':
        return this.#uploads.beginningAgain(stage, command)
      case 'piece':
        return this.#uploads.sendingPiece(command.pick)
      case 'finish':
        return this.#uploads.finishing(stage, command.pick)
      case 'abort':
        return this.#uploads.aborting(command.pick)
      case 'settings':
        return changingSettings(stage, command, options.blocks)
      case 'fold':
        return this.#folding(stage)
      case 'checksums':
        return () => this.#process.storage.addChecksums()
      case 'together':
      case 'restart':
      case 'visit':
      case 'pass':
      case 'checkpoint':
      case 'settle':
        throw new Error(`${command.kind} runs alone`)
    }
  }

  #entryNames(): EntryName[] {
    return [...this.#expectation.state.entries.values()]
  }

  /** Blocks have the times of records for their ids. */
  async #folding(stage: Stage): Promise<Work> {
    const { storage } = this.#process
    const places: { readonly name: EntryName; readonly blockId: number }[] = []
    for (const name of this.#entryNames())
      for (const { timestampUs } of await knownRecords(stage, name))
        places.push({ name, blockId: Number(timestampUs) })
    return async () => {
      for (const { name, blockId } of places) await storage.fold(name, blockId)
    }
  }

  /** Afterwards blocks that a quota let go of before this call are gone for good. */
  async #settleEvictions(): Promise<void> {
    const count = this.#expectation.evictionsPending
    if (count === 0) return
    await this.#process.run(allDone(this.#process.storage))
    this.#expectation.evictionsDone(count)
  }

  /** Those that records have by now are durable. */
  async #noteChecksums(): Promise<void> {
    const { storage } = this.#process
    const evictions = (): number => this.#expectation.evictionsCount
    const shown = await this.#process.run(shownBy(storage, settingsOfNew, evictions))
    for (const id of shown.checksummed) this.#expectation.state.checksummed.add(id)
  }

  #finishReading(): Promise<void> {
    return this.#process.run(this.#readers.finish())
  }

  async #close(): Promise<void> {
    await this.#finishReading()
    await this.#process.run(this.#process.storage.close())
    requireReason(this.#process, false)
    this.#process.kill()
    this.#uploads.forget()
    this.#expectation.evictionsDone(Infinity)
    checkSettledDirectory(this.#disk)
    this.#expectation.requireOfStock(stockState(this.#disk))
  }
}
