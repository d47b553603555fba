import type { FileSystem } from '../../fs/file-system.ts'
import { decodeRecord, type DecodedRecord } from '../codec/record-codec.ts'
import type { Damage } from '../damage.ts'
import { EntryPaths } from '../paths.ts'
import { scanWal } from '../wal/wal-codec.ts'
import type { BlockFacts, LoggedItem } from './facts.ts'
import { recordsWithoutContent } from './holds-content.ts'
import { owedPlace, owedRecord, type OwedRecord } from './owed-content.ts'
import type { OpenPlan, PlannedBlock } from './plan.ts'
import { planMerge } from './plan-merge.ts'
import { readEntries } from './read-entries.ts'
import type { ReturnedRecords } from './returned-records.ts'

/** Content that went home before its frame is compared with its CRC-32 up to this much, the newest first. */
const READ_BYTES_MAX = 1024 * 1024 * 1024

/** Content that a group made durable in a data file, and that is not there any more. */
export interface LostContent {
  readonly path: string
  readonly message: string
}

export interface MissingContent {
  /** As planned, with what fails. */
  readonly blocks: readonly PlannedBlock[]
  readonly lost: readonly LostContent[]
  readonly owed: readonly OwedRecord[]
  readonly returned: readonly ReturnedRecords[]
}

/**
 * The last part of step R4: content that went home before its frame must be there. Where ReductStore may have cut it off it
 * is owed. Otherwise its loss harms its record only, which its CRC-32 tells. What was folded was synced, and may have been
 * moved. Entries whose files cannot be read are noted in `damage`.
 * @param known owed already
 */
export async function findMissingContent(
  fs: FileSystem,
  dataPath: string,
  planned: readonly PlannedBlock[],
  known: readonly OwedRecord[],
  damage: Damage,
): Promise<MissingContent> {
  const lost: LostContent[] = []
  const owed: OwedRecord[] = []
  const returned: ReturnedRecords[] = []
  for (const { facts, plan } of planned) {
    if (plan.kind !== 'merge') continue
    await damage.contain(facts, async () => {
      const merge = await planMerge(fs, dataPath, facts, plan.entries)
      owed.push(...merge.owed)
      const { bucket, entry, blockId } = facts
      const { length: records, 0: firstUs } = merge.returnedUs
      if (firstUs !== undefined) returned.push({ bucket, entry, blockId, records, firstUs })
    })
  }

  const knownPlaces = new Set(known.map(owedPlace))
  const cutOff = new Map<BlockFacts, Map<bigint, DecodedRecord>>()
  const direct = planned
    .flatMap(({ facts, plan }) =>
      plan.kind === 'open'
        ? facts.items.filter((item) => item.direct).map((item) => ({ facts, plan, item }))
        : [],
    )
    .sort((a, b) => b.item.sequence - a.item.sequence)
  let budgetBytes = READ_BYTES_MAX
  for (const { facts, plan, item } of direct) {
    budgetBytes -= item.contentBytes
    await damage.contain(facts, async () => {
      const path = new EntryPaths(dataPath, facts).data(facts.blockId)
      const isKnown = (record: DecodedRecord): boolean =>
        knownPlaces.has(owedPlace(owedRecord(facts, record)))
      // What is owed already is read in any case: a recovery that was cut off may have made the file longer meanwhile.
      const isRead = (record: DecodedRecord): boolean => budgetBytes >= 0 || isKnown(record)
      const missing = await recordsWithoutContent(fs, path, await readEntries(fs, item), isRead)
      const cut = plan.entries.includes(item)
        ? missing.filter((record) => isSaved(facts) || isKnown(record))
        : []
      if (cut.length < missing.length)
        lost.push({ path, message: `content of group ${item.sequence} is not there` })
      if (cut.length === 0) return
      const records = cutOff.get(facts) ?? new Map<bigint, DecodedRecord>()
      for (const record of cut) records.set(record.timestampUs, record)
      cutOff.set(facts, records)
    })
  }

  const blocks: PlannedBlock[] = []
  for (const block of planned) {
    const records = cutOff.get(block.facts)
    if (records === undefined || block.plan.kind !== 'open') {
      blocks.push(block)
      continue
    }
    for (const record of await asLabelledLast(fs, records, block.plan.entries))
      owed.push(owedRecord(block.facts, record))
    blocks.push({ ...block, plan: { ...block.plan, failedUs: new Set(records.keys()) } satisfies OpenPlan })
  }
  return { blocks, lost, owed, returned }
}

/**
 * Whether ReductStore may have saved a block over which our WAL goes on: one that it has saved before it leaves as it is, and
 * a power cut may bring back the WAL that it has folded. Without a WAL nothing tells that it was not there.
 */
function isSaved({ wal, descriptor }: BlockFacts): boolean {
  return wal === undefined || (descriptor.state === 'read' && descriptor.lastFrame === undefined)
}

async function asLabelledLast(
  fs: FileSystem,
  records: ReadonlyMap<bigint, DecodedRecord>,
  items: readonly LoggedItem[],
): Promise<DecodedRecord[]> {
  const labelled = new Map(records)
  for (const item of items) {
    const entries = await readEntries(fs, item)
    for (const { payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
      const { timestampUs, labels } = decodeRecord(entries, payloadFromBytes, payloadToBytes)
      const record = records.get(timestampUs)
      if (record !== undefined) labelled.set(timestampUs, { ...record, labels })
    }
  }
  return [...labelled.values()]
}
