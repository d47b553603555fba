import type { OpenBlock } from './block/block.ts'
import { foldBlock, listingOnDisk } from './block/fold.ts'
import { ChecksumUpkeep } from './checksum-upkeep.ts'
import { CrowdRelief } from './crowd-relief.ts'
import { BlockChanger } from './commitlog/block-changer.ts'
import { Checkpointer } from './commitlog/checkpointer.ts'
import { GroupCommit } from './commitlog/group-commit.ts'
import { Projector } from './commitlog/projector.ts'
import { StorageError } from './errors.ts'
import { Health } from './health.ts'
import { Maintenance } from './maintenance.ts'
import { addChecksums } from './mutation/add-checksums.ts'
import { replacedAttachments } from './mutation/attachments.ts'
import { removeInTurn } from './mutation/remove-records.ts'
import { DiscardedTrees } from './mutation/discarded-trees.ts'
import type { MutationContext } from './mutation/mutations.ts'
import type { RelocationContext } from './mutation/relocate.ts'
import { rewriteBlocks } from './mutation/rewrite-block.ts'
import type { OpenedStore } from './open-store.ts'
import { LiveBlocks } from './query/live-blocks.ts'
import { QuotaKeeper } from './quota/quota-keeper.ts'
import type { RecordBegin, RecordWriter } from './record.ts'
import { RemovalMark } from './removal-mark.ts'
import { OwedRecords } from './upload/owed-records.ts'
import { Uploads } from './upload/uploads.ts'

/** Each open block needs two files and its entry's directories; recovery needs a few more names. */
const INODES_RESERVED = 1_000

/** What works in an open store. Groups are taken from the start; `maintenance` is to be started. */
export interface StorageParts {
  readonly health: Health
  readonly changer: BlockChanger
  readonly checkpointer: Checkpointer
  readonly quotas: QuotaKeeper
  readonly commit: GroupCommit
  readonly maintenance: Maintenance
  /** To be started. */
  readonly upkeep: ChecksumUpkeep
  readonly live: LiveBlocks
  readonly uploads: Uploads
  readonly owed: OwedRecords
  readonly mutation: MutationContext
  readonly trees: DiscardedTrees
  readonly relocation: RelocationContext
  /** See `Storage.spareBytes`. */
  readonly spareBytes: () => Promise<number>
}

/** @param begin begins an upload once it is checked */
export function connectParts(
  opened: OpenedStore,
  begin: (begin: RecordBegin) => Promise<RecordWriter>,
): StorageParts {
  const { options, paths, log, catalogue, manager, dirty } = opened
  const { fs, clock, companion, observer, limits, logger } = options
  const health = new Health((cause) => {
    fs.stop(cause)
    commit.fail(cause)
    void maintenance.stop()
    void upkeep.stop()
    options.onPoisoned?.(cause)
  })
  const poison = (cause: unknown): void => health.fail(cause)
  fs.onFailure = poison
  const changer: BlockChanger = new BlockChanger({
    fs,
    paths,
    dirty,
    manager,
    poison,
    inTurn: (job) => projector.run(job),
    lacksChecksums: (entry, blockId) => upkeep.later(entry, blockId),
  })
  const projector: Projector = new Projector(fs, dirty, (changes, sequence) =>
    changer.apply(changes, sequence),
  )
  const checkpointer = new Checkpointer({
    fs,
    clock,
    observer,
    limits,
    paths,
    log,
    manager,
    projector,
    dirty,
    companion,
    poison,
  })
  const removals = new RemovalMark(fs, paths, clock)
  const markRemoval = (): Promise<void> => removals.set()
  const close = (block: OpenBlock): Promise<boolean> => maintenance.close(block)
  const relief: CrowdRelief = new CrowdRelief({
    exclusive: (job) => commit.exclusive(job),
    close,
    rewrite: (commitEdits, blocks, rewritten) =>
      rewriteBlocks({ ...mutation, exclusive: (job) => job(commitEdits) }, blocks, rewritten),
    observer,
    poison,
  })
  const quotas = new QuotaKeeper({ fs, clock, observer, catalogue, logger, close, markRemoval })
  const commit = new GroupCommit({
    fs,
    paths,
    clock,
    observer,
    limits,
    log,
    manager,
    projector,
    companion,
    poison,
    quotas,
    relieve: (block) => relief.relieve(block),
    findEntry: (name) => catalogue.find(name),
    makeEntries: (names) => catalogue.make(names),
    damageOf: (name) => catalogue.damageOf(name),
    beginCheckpoint: () => checkpointer.begin(),
    isCheckpointDue: (idleMs) => checkpointer.isDue(idleMs),
    logRoom: () => checkpointer.logRoom(),
  })
  const lastFrame = (): number => log.position.sequence
  const maintenance: Maintenance = new Maintenance({
    clock,
    observer,
    limits,
    manager,
    fold: async (block) => {
      const isCold = await foldBlock(block, { fs, manager, projector, dirty, lastFrame })
      if (isCold && !block.hasChecksums) upkeep.later(block.entry, BigInt(block.id))
      return isCold
    },
    rewrite: (blocks, rewritten) => rewriteBlocks(mutation, blocks, rewritten),
    relieve: (block) => relief.relieve(block),
    poison,
    keepQuotas: () => keepQuotas({ quotas, maintenance, commit }),
  })
  const upkeep: ChecksumUpkeep = new ChecksumUpkeep({
    clock,
    logger,
    observer,
    bytesPerSecond: limits.upkeepBytesPerSecond,
    entries: () => catalogue.entries,
    add: (entry, blockId, pace) => addChecksums(mutation, entry, blockId, pace),
    // Alone, so that the entry keeps its place; between projections, which append to the index.
    listAnew: (entry) =>
      exclusive(async () => {
        if (mutation.isKnown(entry))
          await projector.run(() => entry.indexFile.rewrite(fs, listingOnDisk(entry)))
      }),
    poison,
  })
  const live = new LiveBlocks({ fs, observer, bytesMax: limits.readCacheBytesMax })
  const spareBytes = (): Promise<number> => spareBytesOf(opened, uploads)
  const exclusive: MutationContext['exclusive'] = (job) => commit.exclusive(job)
  const uploads = new Uploads({
    fs,
    clock,
    idleMsMax: limits.uploadIdleMs,
    manager,
    exclusive,
    source: (entry) => live.source(entry),
    makeEntry: (name) => catalogue.require(name),
    quotas,
    replaced: (entry, begin) => replacedAttachments(mutation, entry, begin),
    remove: (entry, timestampsUs) => removeInTurn(mutation, entry, timestampsUs),
    spareBytes,
  })
  const owed = new OwedRecords({ fs, paths, begin })
  let staged = 0
  const mutation: MutationContext = {
    fs,
    paths,
    holesBytesMin: limits.holesBytesMin,
    manager,
    lastFrame,
    newStagedName: () => `${log.generation}-${++staged}`,
    isKnown: (entry) => catalogue.find(entry.name) === entry,
    requireSpace: async (bytes, { paths: { directory } }) => {
      const isThere = (await spareBytes()) >= bytes && (await fs.freeSpace(directory)).bytes >= bytes
      if (isThere) return
      const why = `${paths.root} or ${directory} has no room for a copy of ${bytes} bytes`
      throw new StorageError('ERR_NO_SPACE', why)
    },
    markRemoval,
    rewriteLater: (entry, blockId) => maintenance.rewriteLater(entry, blockId),
    exclusive,
    source: (entry) => live.source(entry, false),
    close,
    syncWalDirectory: (entry) => fs.syncDirectories([entry.paths.walDirectory]),
    hold: (entry, listed) => manager.hold(entry, listed),
  }
  const trees = new DiscardedTrees(fs, poison)
  const relocation: RelocationContext = {
    ...mutation,
    catalogue,
    trees,
    checkpoint: async () => {
      await checkpointer.complete()
      health.requireGood()
    },
    dropLingering: (entry) => changer.dropLingering(entry),
    owedIn: (place) => owed.countIn(place),
  }
  return {
    health,
    changer,
    checkpointer,
    quotas,
    commit,
    maintenance,
    upkeep,
    live,
    uploads,
    owed,
    mutation,
    trees,
    relocation,
    spareBytes,
  }
}

async function keepQuotas({
  quotas,
  maintenance,
  commit,
}: Pick<StorageParts, 'quotas' | 'maintenance' | 'commit'>): Promise<void> {
  for (const block of quotas.openVictims()) await maintenance.fold(block)
  if (!quotas.isOver) return
  await commit.exclusive(async (commitEdits) => {
    const changes = await quotas.evictions()
    if (changes.length > 0) await commitEdits({ changes })
  })
}

async function spareBytesOf({ options, paths, log }: OpenedStore, uploads: Uploads): Promise<number> {
  const { bytes, inodes } = await options.fs.freeSpace(paths.root)
  if (inodes < INODES_RESERVED) return -1
  const logGrowthBytes = Math.max(0, options.limits.logBytesMax - log.bytes)
  return bytes - logGrowthBytes - uploads.remainingBytes
}
