import { loadCrc64 } from '../../../src/base/crc64.ts'
import type { EntryName, RecordReader, RecordWrite } from '../../../src/storage/index.ts'
import { readAsStock, StockDoesNotStart } from '../../support/independent/stock-reader.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import type { Coverage, CrashPlace } from '../coverage.ts'
import { checkSettledDirectory, filesOf } from '../judge.ts'
import { chooseOptions, type SimulationOptions } from '../options.ts'
import { SimulationFailure, StoreProcess, requireReason, type Tools } from '../store-process.ts'
import { entries, labelled, type Command } from './commands.ts'
import { Allowed, printed, type ModelRecord, type PendingChange, type State } from './model.ts'

const T0 = 1_750_000_000_000_000
const SECOND_US = 1_000_000

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
    idleCheckpointMs: 5_000,
    sealIdleMs: 2_000,
    walBytesMax: 100_000,
    holesBytesMin: 40,
    uploadIdleMs: 100_000,
    writeCacheBytesMax: 100_000,
    readCacheBytesMax: 100_000,
  },
  blocks: { blockBytesMax: 10_000, blockRecordsMax: 3, quota: { kind: 'none', bytes: 0 } },
  pace: 0.2,
  garbage: 0.1,
}

/** The other simulation is about these. */
const quiet: ReadonlySet<string> = new Set([
  'open',
  'write',
  'restart',
  'settle',
  'checkpoint',
  'pass',
  'fold',
])

interface Snapshot {
  readonly disk: SimulatedDisk
  readonly allowed: Allowed
  readonly place: CrashPlace
  readonly command: string
}

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
  #taken = 0
  #process: StoreProcess
  #state: Map<string, ModelRecord> = new Map()
  readonly #pending = new Set<PendingChange>()
  #nextId = 0
  #command = 'open'

  /** @param perCommandMax copies of the disk taken during one command */
  constructor(seed: number, coverage: Coverage, perCommandMax = 4) {
    this.#tools = { options, random: new Random(seed), coverage }
    this.#disk = new SimulatedDisk({ seed, afterKill: 'hang' })
    this.#perCommandMax = perCommandMax
    this.#process = this.#newProcess()
  }

  async play(commands: readonly Command[]): Promise<void> {
    await loadCrc64()
    await this.#process.open()
    for (const command of commands) await this.#do(command)
    await this.#requireState()
    await this.#process.run(this.#process.storage.close())
    requireReason(this.#process, false)
    checkSettledDirectory(this.#disk)
    this.#process.kill()
    for (const snapshot of this.#snapshots) await this.#checkSnapshot(snapshot)
  }

  #newProcess(): StoreProcess {
    const { random, coverage } = this.#tools
    return new StoreProcess(this.#tools, this.#disk, (place) => {
      const command = this.#command
      if (place === 'creation' || this.#taken >= this.#perCommandMax) return
      if (!random.chance(quiet.has(command) ? 0.05 : 0.3)) return
      this.#taken += 1
      coverage.add(`crash.${place}`)
      coverage.add(`during.${command}`)
      this.#snapshots.push({
        disk: this.#disk.fork(random.seed()),
        allowed: new Allowed(this.#state, [...this.#pending]),
        place,
        command,
      })
    })
  }

  async #do(command: Command): Promise<void> {
    const process = this.#process
    const { storage } = process
    this.#command = command.kind
    this.#taken = 0
    this.#tools.coverage.add(`command.${command.kind}`)
    if (command.kind === 'together') {
      const touched = new Set<string>()
      const works = []
      for (const one of command.commands) works.push(await this.#start(one, touched))
      await process.run(Promise.all(works.map((work) => work())))
    } else if (command.kind === 'restart') {
      await process.run(storage.close())
      process.kill()
      this.#process = this.#newProcess()
      await this.#process.open()
    } else if (command.kind === 'pass') await process.pass(60)
    else if (command.kind === 'checkpoint') await process.run(storage.checkpoint())
    else if (command.kind === 'settle') await process.run(storage.settle())
    else if (command.kind === 'fold') await process.run(this.#foldSome())
    else {
      const work = await this.#start(command, new Set())
      await process.run(work())
    }
    requireReason(this.#process, false)
  }

  async #foldSome(): Promise<void> {
    const { storage } = this.#process
    for (const entry of entries)
      for (const { timestampUs } of await this.#records(entry)) await storage.fold(entry, Number(timestampUs))
  }

  /**
   * Readies a command: what it will do is decided now. Commands that run at once never name the same record, so that
   * it does not matter which comes first.
   */
  async #start(command: Command, touched: Set<string>): Promise<() => Promise<void>> {
    const { storage } = this.#process
    if (command.kind === 'write') {
      const writes = this.#writesOf(command)
      return () =>
        this.#asChange(
          (state) => writes.forEach((write) => state.set(...modelled(write))),
          () => storage.submit({ writes }),
        )
    }
    if (command.kind !== 'labels' && command.kind !== 'remove' && command.kind !== 'removeRange')
      throw new Error(`${command.kind} runs alone`)
    const name = entries[command.entry] as EntryName
    const known = await this.#process.run(this.#records(name))
    if (known.length === 0) return () => Promise.resolve()
    if (command.kind === 'removeRange') {
      const from = known[command.from % known.length] as Known
      const last = known[Math.min((command.from % known.length) + command.count, known.length) - 1] as Known
      const inRange = known.filter(
        ({ timestampUs }) => timestampUs >= from.timestampUs && timestampUs <= last.timestampUs,
      )
      const free = inRange.filter(({ id }) => !touched.has(id))
      const ids = new Set(free.map(({ id }) => id))
      for (const id of ids) touched.add(id)
      const range = { startUs: from.timestampUs, stopUs: last.timestampUs + 1n }
      const where = ({ labels }: { labels: readonly string[] }): boolean =>
        ids.has(labelled(labels).get('id') as string)
      return () =>
        this.#asChange(
          (state) => ids.forEach((id) => state.delete(id)),
          () => storage.removeRange(name, { ...range, where }),
        )
    }
    const chosen = new Map<string, Known>()
    for (const pick of command.picks) {
      const one = known[pick % known.length] as Known
      if (!touched.has(one.id)) chosen.set(one.id, one)
    }
    for (const id of chosen.keys()) touched.add(id)
    if (chosen.size === 0) return () => Promise.resolve()
    const picked = [...chosen.values()]
    if (command.kind === 'remove') {
      return () =>
        this.#asChange(
          (state) => picked.forEach(({ id }) => state.delete(id)),
          () =>
            storage.removeRecords(
              name,
              picked.map(({ timestampUs }) => timestampUs),
            ),
        )
    }
    const version = String(this.#nextId++)
    const updates = picked.map(({ timestampUs }) => ({
      timestampUs,
      ...(command.isRemoval ? { remove: ['version'] } : { set: new Map([['version', version]]) }),
    }))
    return () =>
      this.#asChange(
        (state) => {
          for (const { id } of picked) {
            const record = state.get(id)
            if (record === undefined) continue
            const labels = new Map(
              record.labels.split(' ').map((label) => label.split('=') as [string, string]),
            )
            if (command.isRemoval) labels.delete('version')
            else labels.set('version', version)
            state.set(id, { ...record, labels: printedLabels(labels) })
          }
        },
        () => storage.updateLabels(name, updates),
      )
  }

  async #asChange(apply: PendingChange['apply'], work: () => Promise<unknown>): Promise<void> {
    const change = { apply }
    this.#pending.add(change)
    await work()
    this.#pending.delete(change)
    apply(this.#state)
  }

  #writesOf(command: Extract<Command, { kind: 'write' }>): RecordWrite[] {
    return command.times.map((seconds) => {
      const id = String(this.#nextId++)
      return {
        target: entries[command.entry] as EntryName,
        timestampUs: T0 + seconds * SECOND_US,
        labels: ['id', id],
        contentType: 'text/plain',
        content: Buffer.from(`${id}:`.padEnd(command.large ? 200 : 20, id)),
      }
    })
  }

  async #records(name: EntryName): Promise<Known[]> {
    const known: Known[] = []
    for await (const { timestampUs, labels } of this.#process.storage.records(name))
      known.push({ timestampUs, id: labelled(labels).get('id') as string })
    return known
  }

  async #requireState(): Promise<void> {
    const shown = printed(await this.#process.run(shownBy(this.#process.storage)))
    if (shown !== printed(this.#state))
      throw new SimulationFailure(`the store shows\n${shown}\nnot\n${printed(this.#state)}`)
  }

  async #checkSnapshot(snapshot: Snapshot): Promise<void> {
    const { random, coverage } = this.#tools
    for (const way of ['kill', 'power'] as const) {
      const image = snapshot.disk.fork(random.seed())
      if (way === 'power') image.cutPower({ seed: random.seed(), garbage: options.garbage })
      coverage.image(image.digest())
      try {
        if (way === 'kill') require('stock', snapshot.allowed.contradictsAnywhere(stockState(image)))
        await this.#recover(image, snapshot.allowed, 0)
      } catch (error) {
        const what = `${way} in ${snapshot.place} during ${snapshot.command}`
        const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
        throw new SimulationFailure(`${what}: ${why}`, { cause: error })
      }
    }
  }

  async #recover(image: SimulatedDisk, allowed: Allowed, depth: number): Promise<void> {
    const { random, coverage } = this.#tools
    const inner: SimulatedDisk[] = []
    const process = new StoreProcess(this.#tools, image, (place) => {
      if (place === 'recovery' && depth < 2 && inner.length < 2 && random.chance(0.01))
        inner.push(image.fork(random.seed()))
    })
    await process.open()
    const shown = await process.run(shownBy(process.storage))
    require('the store', allowed.contradicts(shown))
    const write = {
      ...(this.#writesOf({ kind: 'write', entry: 0, times: [7], large: false })[0] as RecordWrite),
    }
    await process.run(process.storage.submit({ writes: [write] }))
    await process.run(process.storage.close())
    requireReason(process, false)
    checkSettledDirectory(image)
    const after = new Map(shown)
    after.set(...modelled(write))
    require('stock, after a clean stop,', new Allowed(after).contradicts(stockState(image)))
    process.kill()
    for (const again of inner) {
      coverage.add('crash.recoveryAgain')
      if (random.chance(0.5)) again.cutPower({ seed: random.seed(), garbage: options.garbage })
      await this.#recover(again, allowed, depth + 1)
    }
  }
}

interface Known {
  readonly timestampUs: bigint
  readonly id: string
}

function modelled({ target, labels, content }: RecordWrite): [string, ModelRecord] {
  const values = labelled(labels)
  return [
    values.get('id') as string,
    { entry: target, labels: printedLabels(values), content: Buffer.from(content).toString() },
  ]
}

/** Without the label that a spill adds. */
function printedLabels(labels: ReadonlyMap<string, string>): string {
  return Array.from(labels, ([name, value]) => `${name}=${value}`)
    .filter((label) => !label.startsWith('ts_original='))
    .sort()
    .join(' ')
}

async function shownBy(reader: RecordReader): Promise<Map<string, ModelRecord>> {
  const state = new Map<string, ModelRecord>()
  for (const entry of entries) {
    for await (const record of reader.records(entry, { anyState: true })) {
      const labels = labelled(record.labels)
      const id = labels.get('id') as string
      if (state.has(id)) throw new SimulationFailure(`record ${id} is there twice`)
      const content = Buffer.from(await record.read()).toString()
      state.set(id, { entry, labels: printedLabels(labels), content })
    }
  }
  return state
}

function stockState(disk: SimulatedDisk): State {
  const state = new Map<string, ModelRecord>()
  try {
    for (const { bucket, entry, labels, content } of readAsStock(filesOf(disk)).records) {
      const values = new Map(labels)
      const id = values.get('id') as string
      if (state.has(id)) throw new SimulationFailure(`stock: record ${id} is there twice`)
      if (content === undefined) throw new SimulationFailure(`stock: record ${id} has no content`)
      state.set(id, {
        entry: { bucket, entry },
        labels: printedLabels(values),
        content: Buffer.from(content).toString(),
      })
    }
  } catch (error) {
    if (error instanceof StockDoesNotStart)
      throw new SimulationFailure(`stock does not start: ${error.message}`)
    throw error
  }
  return state
}

function require(who: string, contradiction: string | undefined): void {
  if (contradiction !== undefined) throw new SimulationFailure(`${who} ${contradiction}`)
}
