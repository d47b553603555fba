import { randomUUID } from 'node:crypto'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import {
  Storage,
  type LogCompanion,
  type StorageLimits,
  type StorageObserver,
} from '../../src/storage/index.ts'
import { silentStorageObserver } from '../../src/storage/index.ts'
import { NUMBER_LABEL, type MessageSource } from './messages.ts'
import { realClock } from '../support/real-clock.ts'

/** How much of the content goes home before its frame. */
export type Profile = 'inline' | 'direct'

/** The ledger in small: the number of the next message to store. */
class NumberCompanion implements LogCompanion {
  next = 0

  restore(snapshot: Uint8Array | undefined): void {
    this.next = snapshot === undefined ? 0 : Number(Buffer.from(snapshot).toString())
  }

  apply(delta: Uint8Array): void {
    const [from, to] = Buffer.from(delta).toString().split(' ').map(Number) as [number, number]
    if (from !== this.next) throw new Error(`a group begins at ${from}, the store is at ${this.next}`)
    this.next = to
  }

  snapshot(): Uint8Array {
    return Buffer.from(String(this.next))
  }
}

export function deltaOf(from: number, to: number): Uint8Array {
  return Buffer.from(`${from} ${to}`)
}

/** Content that the server has cut off between a kill and a start, read again by its number. @returns how many records */
export async function payOwed({ storage }: InteropStore, messages: MessageSource): Promise<number> {
  const { owed } = storage
  for (const record of owed) {
    const number = Number(record.labels[record.labels.indexOf(NUMBER_LABEL) + 1])
    await storage.payOwed(record, messages.at(number).write.content)
  }
  return owed.length
}

export interface InteropStore {
  readonly fs: NodeFileSystem
  readonly storage: Storage
  readonly companion: NumberCompanion
  close(options?: { deadlineMs?: number }): Promise<void>
}

/** Limits so small that seals, checkpoints, late reopenings and log changes happen many times a second. */
function limitsOf(profile: Profile): Partial<StorageLimits> {
  return {
    groupBytesMax: 256 * 1024,
    groupRecordsMax: 100,
    directBytesMin: profile === 'direct' ? 32 * 1024 : 1024 ** 3,
    logBytesCheckpoint: 192 * 1024,
    logBytesMax: 4 * 1024 ** 2,
    idleCheckpointMs: 100,
    sealIdleMs: 100,
    walBytesMax: 32 * 1024,
  }
}

/** Opens the real engine on the real disk. @throws {StorageError} */
export async function openInteropStore(
  dataPath: string,
  profile: Profile,
  observer: StorageObserver = silentStorageObserver,
  limits: Partial<StorageLimits> = {},
): Promise<InteropStore> {
  const fs = await NodeFileSystem.open()
  const companion = new NumberCompanion()
  try {
    const storage = await Storage.open({
      dataPath,
      fs,
      clock: realClock,
      randomUuid: randomUUID,
      companion,
      observer,
      limits: { ...limitsOf(profile), ...limits },
      bucketSettings: () => ({
        blockBytesMax: 1024 * 1024,
        blockRecordsMax: 100,
        quota: { kind: 'none', bytes: 0 },
      }),
    })
    return {
      fs,
      storage,
      companion,
      close: async (options) => {
        try {
          await storage.close(options)
        } finally {
          await fs.close()
        }
      },
    }
  } catch (error) {
    await fs.close()
    throw error
  }
}
