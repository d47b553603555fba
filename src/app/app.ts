import { resolve } from 'node:path'
import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Settings } from '../config/settings.ts'
import type { FileSystem, FileSystemObserver } from '../fs/file-system.ts'
import { LoopLag } from '../http/loop-lag.ts'
import { startHttpServer, type HttpServer } from '../http/server.ts'
import type { DeadLetterTopic } from '../kafka/dead-letters.ts'
import type { KafkaSource } from '../kafka/source.ts'
import { OffsetLedger } from '../ledger/offset-ledger.ts'
import type { ExistingEntry } from '../mapping/entry-names.ts'
import { Metrics } from '../metrics/metrics.ts'
import { isDoneWithin } from '../sink/deadline.ts'
import { Sink } from '../sink/sink.ts'
import type { DrainReport } from '../sink/status.ts'
import { isStore, Storage, StorageError, type RecoveryEvent, type StorageObserver } from '../storage/index.ts'
import { checkTopics } from './check-topics.ts'
import { existingEntries } from './existing-entries.ts'
import { liveness, readiness } from './health.ts'
import { toSample } from './sample.ts'
import {
  bucketSettingsOf,
  differingBuckets,
  sinkLimitsOf,
  spareBytesResumeOf,
  startPolicyOf,
  storageLimitsOf,
} from './room-options.ts'
import { sumGaps, type AppPhase, type AppStatus } from './status.ts'
import { createRecordMapper } from './topic-guard.ts'
import { countGroups, type Totals } from './totals.ts'

/** How often the disk is asked again while it is too full to join the group. */
const SPACE_POLL_MS = 1000
/** A drain takes at most this share of the time for a stop; closing the store, and leaving the group beside it, the rest. */
const DRAIN_SHARE = 0.6
/** Folding takes at most this share of what the store has; the last checkpoint comes after it. */
const FOLD_SHARE = 0.6

/** The outer world, handed in: the command line gives real ones, tests others. */
export interface AppParts {
  readonly version: string
  readonly clock: Clock
  readonly logger: (room: string) => Logger
  readonly openFileSystem: (observer: FileSystemObserver) => Promise<FileSystem>
  readonly createSource: () => KafkaSource
  /** `undefined`: rejected messages are in quarantine only. */
  readonly createDeadLetters?: () => DeadLetterTopic | undefined
}

/**
 * One process of Sediment: builds the rooms, opens them from the bottom up, closes them in reverse. The only place
 * that joins ledger and store.
 *
 * The HTTP server comes first, so that probes are answered while a long recovery runs; it goes last.
 */
export class App {
  /** Resolves when the process has to end by itself: with why. Never after `close` has begun. */
  readonly ended: Promise<Error>

  readonly #settings: Settings
  readonly #parts: AppParts
  readonly #logger: Logger
  readonly #metrics: Metrics
  readonly #ledger = new OffsetLedger()
  readonly #loopLag: LoopLag
  readonly #closing = new AbortController()
  readonly #storageObserver: StorageObserver
  readonly #totals: () => Totals
  #phase: AppPhase = 'opening'
  #failure: Error | undefined
  #spareBytes: number | undefined
  #http: HttpServer | undefined
  #fs: FileSystem | undefined
  /** From the moment that the directory is touched: nothing in it may be left open, however long recovery takes. */
  #opening: Promise<Storage | undefined> | undefined
  #storage: Storage | undefined
  #source: KafkaSource | undefined
  #deadLetters: DeadLetterTopic | undefined
  #sink: Sink | undefined
  #end: (failure: Error) => void = () => {}
  #closed: Promise<void> | undefined

  constructor(settings: Settings, parts: AppParts) {
    this.#settings = settings
    this.#parts = parts
    this.#logger = parts.logger('app')
    this.#metrics = new Metrics({ version: parts.version })
    this.#loopLag = new LoopLag(parts.clock)
    const { observer, totals } = countGroups(this.#metrics.storage)
    this.#totals = totals
    this.#storageObserver = { ...observer, recovered: (event) => this.#recovered(observer, event) }
    this.ended = new Promise((end) => {
      this.#end = end
    })
  }

  /** Where metrics and probes are served, once `open` has begun. */
  get httpUrl(): string | undefined {
    return this.#http && `http://${this.#http.host}:${this.#http.port}`
  }

  /** Opens everything and joins the group. @throws what any room throws, at once; `close` afterwards all the same */
  async open(): Promise<void> {
    try {
      const failed = this.ended.then((failure) => Promise.reject(failure))
      await Promise.race([this.#open(), failed])
    } catch (error) {
      if (!this.#closing.signal.aborted) throw this.#fail(error)
    }
  }

  async #open(): Promise<void> {
    const settings = this.#settings
    checkTopics(settings.mapping.rules, settings.kafka.topics)
    const isClosing = (): boolean => this.#closing.signal.aborted
    this.#http = await startHttpServer(settings.http, {
      metrics: async () => ({ contentType: this.#metrics.contentType, body: await this.#metricsText() }),
      live: () => liveness(this.status(), this.#loopLag.lagMsMax, settings.kafka.sessionTimeoutMs),
      ready: () => readiness(this.status()),
      summary: () => this.#summary(),
    })
    const { version } = this.#parts
    this.#logger.info({ version, dataPath: resolve(settings.dataPath), http: this.httpUrl }, 'opening')
    this.#source = this.#parts.createSource()
    // Brokers are asked before a directory is made, so that a mistyped broker or topic leaves no trace on disk; a store
    // that is there is opened meanwhile.
    const brokersAnswer = this.#askBrokers(this.#source)
    brokersAnswer.catch(() => {})
    const fs = await this.#parts.openFileSystem(this.#metrics.fileSystem)
    this.#fs = fs
    if (await isStore(fs, resolve(settings.dataPath))) this.#opening = this.#openStorage(fs)
    await Promise.all([brokersAnswer, this.#opening])
    if (isClosing()) return

    this.#opening ??= this.#openStorage(fs)
    const storage = await this.#opening
    if (storage === undefined || isClosing()) return
    this.#storage = storage
    for (const difference of differingBuckets(settings, storage.buckets()))
      this.#logger.warn(
        difference,
        'bucket keeps the settings it has: change them with `sediment bucket set`',
      )
    // The sink claims as well; this is for a foreign directory to be refused before the group is joined.
    if (this.#source.clusterId !== '') await storage.claim(this.#source.clusterId, settings.kafka.groupId)
    await this.#waitForSpace(storage)
    if (isClosing()) return

    this.#phase = 'joining'
    const existing = await existingEntries(storage, settings.mapping.rules)
    if (isClosing()) return
    this.#sink = this.#createSink(this.#source, storage, existing)
    void this.#sink.ended.then((failure) => failure && this.#fail(failure))
    await this.#sink.start()
    if (this.#phase === 'joining') this.#phase = 'running'
  }

  /** Resolves when the topics that are consumed and the one for dead letters are there, or nobody wants to know. */
  async #askBrokers(source: KafkaSource): Promise<void> {
    await source.probe?.()
    if (this.#closing.signal.aborted) return
    this.#deadLetters = this.#parts.createDeadLetters?.()
    await this.#deadLetters?.probe()
  }

  status(): AppStatus {
    return {
      phase: this.#phase,
      failure: this.#failure,
      totals: this.#totals(),
      spareBytes: this.#spareBytes,
      spareBytesResume: this.#phase === 'waiting-for-space' ? 0 : spareBytesResumeOf(this.#settings.storage),
      sink: this.#sink?.status(),
      unreadable: this.#source?.unreadable ?? [],
    }
  }

  /**
   * Accepts nothing more, makes durable and commits what was accepted, leaves the group, checkpoints, unlocks: all
   * within `deadlineMs`, however long brokers or the disk take. What is left over is done by the next start. Idempotent.
   *
   * @throws {StorageError} `ERR_POISONED` when the disk failed on the way
   */
  close(deadlineMs: number = this.#settings.shutdown.deadlineMs): Promise<void> {
    this.#closed ??= this.#close(deadlineMs)
    return this.#closed
  }

  async #close(deadlineMs: number): Promise<void> {
    const { clock } = this.#parts
    const untilMs = clock.monotonicMs() + deadlineMs
    const leftMs = (): number => Math.max(0, untilMs - clock.monotonicMs())
    this.#closing.abort()
    if (this.#failure === undefined) this.#phase = 'closing'
    const drained = await this.#drain(leftMs() * DRAIN_SHARE)
    // Nothing reaches the store any more: it closes while the group is left, which may wait for a broker.
    const left = this.#leave(leftMs())
    try {
      const closed = this.#closeStore(() => leftMs() * FOLD_SHARE)
      if (!(await isDoneWithin(closed, leftMs(), clock))) {
        this.#logger.warn({ deadlineMs }, 'the store could not be closed in time; the next start recovers')
      }
    } finally {
      await left
      this.#loopLag.stop()
      await this.#http?.close()
      if (this.#failure === undefined) this.#phase = 'closed'
      if (this.#sink !== undefined) {
        const blocksUnfolded = (await this.#opening)?.openBlocks
        this.#logger.info({ ...this.#totals(), ...drained, blocksUnfolded }, 'stopped')
      }
    }
  }

  /** Never rejects: what fails here was durable before, or is delivered again. */
  async #drain(drainMs: number): Promise<Partial<DrainReport>> {
    if (this.#sink === undefined || this.#failure !== undefined) return {}
    try {
      return await this.#sink.drain(drainMs)
    } catch (error) {
      this.#logger.warn({ error }, 'the drain failed; what was not durable is delivered again')
      return {}
    }
  }

  /** Leaves the group, or what there is of a connection. Never rejects, and takes `durationMs` at most. */
  async #leave(durationMs: number): Promise<void> {
    try {
      const within = (stopped: Promise<unknown> | undefined): Promise<unknown> =>
        stopped === undefined ? Promise.resolve() : isDoneWithin(stopped, durationMs, this.#parts.clock)
      await Promise.all([
        within(this.#deadLetters?.stop()),
        this.#sink === undefined ? within(this.#source?.stop()) : this.#sink.stop(durationMs),
      ])
    } catch (error) {
      this.#logger.warn({ error }, 'the consumer did not stop cleanly')
    }
  }

  /** A store that is being opened is closed as soon as it is open. Folding needs space: without it, blocks stay open. */
  async #closeStore(foldMs: () => number): Promise<void> {
    // Why it could not be opened is told by `open`.
    const storage = await this.#opening?.catch(() => undefined)
    const isFull = this.#spareBytes !== undefined && this.#spareBytes < 0
    await storage?.close({ deadlineMs: isFull ? 0 : foldMs() })
    await this.#fs?.close()
  }

  /** `undefined` when there is no use for it any more. */
  async #openStorage(fs: FileSystem): Promise<Storage | undefined> {
    const { clock, logger } = this.#parts
    if (this.#closing.signal.aborted) return undefined
    return Storage.open({
      dataPath: resolve(this.#settings.dataPath),
      fs,
      clock,
      randomUuid: randomUUID,
      logger: logger('storage'),
      observer: this.#storageObserver,
      companion: this.#ledger,
      limits: storageLimitsOf(this.#settings.storage),
      bucketSettings: bucketSettingsOf(this.#settings),
      onPoisoned: (cause) => this.#fail(poisoned(cause)),
    })
  }

  #createSink(source: KafkaSource, storage: Storage, existing: readonly ExistingEntry[]): Sink {
    const { clock, logger } = this.#parts
    const { mapping, kafka } = this.#settings
    const ledgerTopics = this.#ledger.positions().map(({ topic }) => topic)
    return new Sink({
      source,
      storage: {
        identity: storage.identity,
        claim: (clusterId, groupId) => storage.claim(clusterId, groupId),
        submit: (submission) => storage.submit(submission),
        spareBytes: () => this.#askSpareBytes(storage),
        hasRoom: (bucket, bytes) => storage.hasRoom(bucket, bytes),
        get owed() {
          return storage.owed
        },
        payOwed: (record, content) => storage.payOwed(record, content),
        forgetOwed: (records) => storage.forgetOwed(records),
        get changes() {
          return storage.changes
        },
      },
      ledger: this.#ledger,
      mapper: createRecordMapper(mapping.rules, existing, ledgerTopics, logger('mapping')),
      deadLetters: this.#deadLetters,
      clock,
      groupId: kafka.groupId,
      start: startPolicyOf(kafka.start),
      onDeleted: kafka.onDeleted,
      limits: sinkLimitsOf(this.#settings),
      logger: logger('sink'),
      observer: this.#metrics.sink,
    })
  }

  /** A restart on a full disk waits instead of failing again and again; it goes on by itself. */
  async #waitForSpace(storage: Storage): Promise<void> {
    const { clock } = this.#parts
    while ((await this.#askSpareBytes(storage)) < 0 && !this.#closing.signal.aborted) {
      if (this.#phase !== 'waiting-for-space') {
        this.#phase = 'waiting-for-space'
        this.#logger.warn(
          { spareBytes: this.#spareBytes, spareBytesResume: 0 },
          'too little free space to consume; waiting',
        )
      }
      await clock.sleep(SPACE_POLL_MS, this.#closing.signal)
    }
  }

  async #askSpareBytes(storage: Storage): Promise<number> {
    this.#spareBytes = (await storage.spareBytes()) - this.#settings.storage.spaceReserveBytes
    return this.#spareBytes
  }

  /** The first failure counts. */
  #fail(cause: unknown): Error {
    const failure = cause instanceof Error ? cause : new Error(String(cause))
    if (this.#failure !== undefined) return this.#failure
    this.#failure = failure
    this.#phase = 'failed'
    this.#end(failure)
    return failure
  }

  #recovered(observer: StorageObserver, event: RecoveryEvent): void {
    observer.recovered(event)
    this.#logger.info(event, 'data directory recovered')
  }

  #metricsText(): Promise<string> {
    const gaps = sumGaps(this.#ledger.positions())
    const { budgetBytes } = this.#settings.memory
    const buckets = this.#storage?.buckets() ?? []
    const damaged = this.#storage?.damaged()
    const owed = this.#storage?.owed.length
    const nowUs = this.#parts.clock.nowUs()
    return this.#metrics.text(toSample(this.status(), gaps, budgetBytes, buckets, nowUs, damaged, owed))
  }

  #summary(): [string, string][] {
    const { records, bytes, groups } = this.#totals()
    return [
      ['version', this.#parts.version],
      ['data directory', resolve(this.#settings.dataPath)],
      ['consumer group', this.#settings.kafka.groupId],
      ['partitions', String(this.status().sink?.partitions.length ?? 0)],
      ['stored since start', `${records} records, ${bytes} bytes in ${groups} groups`],
    ]
  }
}

function poisoned(cause: unknown): Error {
  if (cause instanceof StorageError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StorageError('ERR_POISONED', `a write or sync failed: ${why}`, {}, cause)
}
