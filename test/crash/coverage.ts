import { silentStorageObserver, type StorageObserver } from '../../src/storage/index.ts'
import type { OperationCall } from '../support/simulated-disk.ts'

/** What the engine was doing when its process ended. */
export const crashPlaces = [
  'creation',
  'recovery',
  'frame',
  'logRoll',
  'projection',
  'blockRoll',
  'contentSync',
  'indexAppend',
  'fold',
  'checkpoint',
  'naming',
] as const
/**
 * Between two steps that are rarely torn apart: the rest of a frame that was written short; the descriptor of a block
 * is a new one and the index still tells of the old; what goes on after something has failed.
 */
export const narrowPlaces = ['frameRest', 'refold', 'afterFailure'] as const
export type NarrowPlace = (typeof narrowPlaces)[number]
export type CrashPlace = (typeof crashPlaces)[number] | NarrowPlace

export function isNarrow(place: CrashPlace): place is NarrowPlace {
  return narrowPlaces.some((narrow) => narrow === place)
}

/** Counts what a simulation has met; a simulation that met nothing proves nothing. */
export class Coverage {
  readonly counts = new Map<string, number>()
  readonly #digests = new Set<string>()

  add(name: string, count = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0
  }

  image(digest: string): void {
    this.add('images')
    // Enough to tell millions apart.
    this.#digests.add(digest.slice(0, 16))
  }

  digests(): string[] {
    return [...this.#digests]
  }
}

export function countingObserver(coverage: Coverage): StorageObserver {
  return {
    ...silentStorageObserver,
    cacheEvicted: (cache) => coverage.add(`evicted.${cache}`),
    groupCommitted: ({ directBytes, records }) => {
      coverage.add('groups')
      if (records === 0) coverage.add('groups.empty')
      if (directBytes > 0) coverage.add('groups.direct')
    },
    blockStarted: () => coverage.add('blocks.started'),
    blockSealed: () => coverage.add('blocks.sealed'),
    blockClosed: () => coverage.add('blocks.closed'),
    blockReopened: () => coverage.add('blocks.reopened'),
    blockRewritten: () => coverage.add('blocks.rewritten'),
    checkpointed: () => coverage.add('checkpoints'),
    recordLate: () => coverage.add('records.late'),
    slotSpilled: () => coverage.add('records.spilled'),
    quotaRefused: () => coverage.add('submissions.refused'),
    recovered: ({ frames, blocksRedone, tornTailBytes }) => {
      coverage.add('opens')
      if (frames > 0) coverage.add('opens.withFrames')
      if (blocksRedone > 0) coverage.add('opens.withBlocks')
      if (tornTailBytes > 0) coverage.add('opens.tornTail')
    },
  }
}

const LOG_ALIGN_BYTES = 512

/** Tells from the operations of one process what it is doing. */
export class PlaceFinder {
  readonly #newLogs = new Set<string>()
  /** Entry directories where a descriptor was replaced and the index has not been told. */
  readonly #refolded = new Set<string>()
  readonly #read: (path: string) => Uint8Array | undefined

  /** @param read what a file holds now */
  constructor(read: (path: string) => Uint8Array | undefined) {
    this.#read = read
  }

  of(call: OperationCall, path: string): CrashPlace {
    const directory = path.slice(0, path.lastIndexOf('/'))
    if (call === 'rename' && path.endsWith('.meta.tmp')) {
      if (this.#read(path.slice(0, -'.tmp'.length)) !== undefined) this.#refolded.add(directory)
      return 'fold'
    }
    if (call === 'syncDirectory' && this.#refolded.has(path)) return 'refold'
    if (call === 'write' && path.endsWith('/blocks.idx') && this.#refolded.delete(directory)) return 'refold'
    if (call === 'write' && path.endsWith('.log') && (this.#read(path)?.length ?? 0) % LOG_ALIGN_BYTES !== 0)
      return 'frameRest'
    return this.#step(call, path)
  }

  #step(call: OperationCall, path: string): CrashPlace {
    if (path.includes('/.sediment')) return this.#ofSediment(call, path)
    if (path.endsWith('.wal')) {
      if (call === 'unlink') return 'fold'
      return call === 'sync' ? 'checkpoint' : 'projection'
    }
    if (path.endsWith('.blk')) {
      if (call === 'create') return 'blockRoll'
      return call === 'sync' ? 'contentSync' : 'projection'
    }
    if (path.includes('.meta')) return 'fold'
    if (path.includes('/blocks.idx')) return 'indexAppend'
    if (call === 'syncDirectory') return path.endsWith('/.wal') ? 'checkpoint' : 'fold'
    return 'naming'
  }

  #ofSediment(call: OperationCall, path: string): CrashPlace {
    if (path.endsWith('.log')) {
      if (call === 'create') this.#newLogs.add(path)
      if (call === 'unlink') return 'checkpoint'
      return this.#newLogs.has(path) ? 'logRoll' : 'frame'
    }
    if (path.endsWith('/log')) {
      this.#newLogs.clear()
      return 'logRoll'
    }
    return path.includes('/new-') ? 'naming' : 'checkpoint'
  }
}
