import type { FileSystem } from '../../fs/file-system.ts'
import { checkDescriptor } from '../block/block-content.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import type { Damage } from '../damage.ts'
import { EntryPaths, stagedFiles, storePaths } from '../paths.ts'
import type { BlockFacts, BlockName } from './facts.ts'
import type { PlannedBlock } from './plan.ts'
import { isListed, recordIndex } from './scan-blocks.ts'
import { readMessage } from '../read-message.ts'

/** Acknowledged records that come back into a block which ReductStore has saved or removed. */
export interface ReturnedRecords extends BlockName {
  readonly records: number
  readonly firstUs: number
}

/** For the log and for verify. */
export function returnedMessage({ bucket, entry, records, firstUs }: ReturnedRecords): string {
  const what = records === 1 ? 'record' : 'records'
  return (
    `ReductStore does not have ${records} acknowledged ${what} of ${bucket}/${entry}, the first at ${firstUs}: never ` +
    'seen, lost, or removed there; they are stored again'
  )
}

/**
 * What comes back with blocks that were written aside: their frame puts them in the place of another one, and before that was
 * done, ReductStore has saved that one without some of its records, or removed it. Reads only.
 */
export async function findReturnedByRewrites(
  fs: FileSystem,
  dataPath: string,
  blocks: readonly PlannedBlock[],
  damage: Damage,
): Promise<ReturnedRecords[]> {
  const replaced = new Map<string, PlannedBlock>()
  for (const block of blocks) {
    const { kind } = block.facts.change?.change ?? {}
    if (kind === 'drop' || kind === 'strip') replaced.set(frameKey(block.facts), block)
  }
  const returned: ReturnedRecords[] = []
  for (const { facts, plan } of blocks) {
    if (plan.kind !== 'change' || plan.logged.change.kind !== 'adopt') continue
    const { stagedName } = plan.logged.change
    const old = replaced.get(frameKey(facts))
    if (old === undefined) continue
    await damage.contain(facts, async () => {
      const held = await leftByServer(fs, dataPath, old, facts)
      if (held === 'as we left it') return
      const paths = new EntryPaths(dataPath, facts)
      const staged = stagedFiles(storePaths(dataPath), stagedName).descriptor
      const brought =
        (await descriptorAt(fs, staged)) ?? (await descriptorAt(fs, paths.descriptor(facts.blockId)))
      const timesUs = brought === undefined ? [] : finishedBeside(brought, held)
      const { bucket, entry, blockId } = facts
      const { length: records, 0: firstUs } = timesUs
      if (firstUs !== undefined) returned.push({ bucket, entry, blockId, records, firstUs })
    })
  }
  return returned
}

/** What ReductStore has left of a block that `aside` takes the place of, `undefined` where that is nothing. */
async function leftByServer(
  fs: FileSystem,
  dataPath: string,
  { facts: old, plan }: PlannedBlock,
  aside: BlockFacts,
): Promise<Descriptor | undefined | 'as we left it'> {
  const paths = new EntryPaths(dataPath, old)
  // We list all that takes its place before we let go of it.
  if (old.isGone) return (await isListed(fs, paths, aside.blockId)) ? 'as we left it' : undefined
  const { descriptor } = old
  const isTheirs = plan.kind === 'folded' && descriptor.state === 'read' && descriptor.lastFrame === undefined
  return isTheirs ? descriptorAt(fs, paths.descriptor(old.blockId)) : 'as we left it'
}

/** Times of the finished records of `brought` that `held` does not have. Not of one that ReductStore has saved: it knows it. */
function finishedBeside(brought: Descriptor, held: Descriptor | undefined): number[] {
  if (brought.lastFrame === undefined) return []
  const timesUs: number[] = []
  for (const [index, timestampUs] of brought.timestampsUs.entries()) {
    if (held !== undefined && recordIndex(held, timestampUs) !== undefined) continue
    const { recordFromBytes, recordToBytes } = brought
    const { state } = decodeRecord(brought.bytes, recordFromBytes[index], recordToBytes[index])
    if (state === recordStateNumber.finished) timesUs.push(Number(timestampUs))
  }
  return timesUs
}

async function descriptorAt(fs: FileSystem, path: string): Promise<Descriptor | undefined> {
  const bytes = await readMessage(fs, path)
  return bytes && checkDescriptor(bytes, path, undefined)
}

/** The blocks of an entry that one frame changes. */
function frameKey({ bucket, entry, change }: BlockFacts): string {
  return `${bucket}/${entry} ${change?.sequence}`
}
