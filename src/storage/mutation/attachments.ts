import { isExtensible } from '../block/placement.ts'
import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import type { EntriesEdit } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { LabelList, RecordBegin } from '../record.ts'
import { labelEdit } from './update-labels.ts'
import { isAttachment } from '../paths.ts'
import type { MutationContext } from './mutations.ts'

const KEY_LABEL = 'key'
/** With the value `true` it takes an attachment out of all queries (ReductStore's way); until it goes it is read by its time. */
const REMOVE_LABEL = 'remove'

/** @throws {StorageError} `ERR_INVALID`, as ReductStore refuses it */
export function checkAttachment({ target, labels }: RecordBegin): void {
  const refuse = (why: string): never => {
    throw new StorageError('ERR_INVALID', `${target.bucket}/${target.entry}: ${why}`, target)
  }
  if (attachmentKey(labels) === undefined) refuse(`an attachment needs a label '${KEY_LABEL}'`)
  if (isRemoved(labels)) refuse(`an attachment is taken away by an update of its label '${REMOVE_LABEL}'`)
}

/** The finished attachments that a new one takes the place of. */
export interface ReplacedAttachments {
  /** What the frame that finishes the new one says besides: they are taken away. Their blocks are held: the caller lets go. */
  readonly edits: readonly EntriesEdit[]
  /** All of them, with those that were taken away before. */
  readonly timestampsUs: readonly bigint[]
}

/** Only in an exclusive job. */
export async function replacedAttachments(
  context: MutationContext,
  entry: Entry,
  { timestampUs, labels }: RecordBegin,
): Promise<ReplacedAttachments> {
  const key = attachmentKey(labels)
  const edits: EntriesEdit[] = []
  const timestampsUs: bigint[] = []
  const updated = new Map<bigint, Uint8Array>()
  const source = context.source(entry)
  try {
    // Others are only read: what they hold of the key stays.
    for (const block of source.blocks.filter(isExtensible)) {
      const { bytes, recordFromBytes, recordToBytes } = await source.descriptor(block)
      for (const [index, from] of recordFromBytes.entries()) {
        const record = decodeRecord(bytes, from, recordToBytes[index])
        const isOther =
          record.timestampUs !== BigInt(timestampUs) &&
          record.state === recordStateNumber.finished &&
          attachmentKey(record.labels) === key
        if (!isOther) continue
        timestampsUs.push(record.timestampUs)
        if (isRemoved(record.labels)) continue
        const set = new Map([[REMOVE_LABEL, 'true']])
        edits.push(await labelEdit(context, entry, { timestampUs: record.timestampUs, set }, updated))
      }
    }
    return { edits, timestampsUs }
  } catch (error) {
    for (const { block } of edits) block.holds -= 1
    throw error
  }
}

/** Whether it is an attachment that queries pass over. */
export function isTakenAway(record: { readonly entry: string; readonly labels: LabelList }): boolean {
  return isAttachment(record) && isRemoved(record.labels)
}

/** By which attachments of an entry are known; of each key the latest counts. */
export function attachmentKey(labels: LabelList): string | undefined {
  return valueOf(labels, KEY_LABEL)
}

function isRemoved(labels: LabelList): boolean {
  return valueOf(labels, REMOVE_LABEL) === 'true'
}

function valueOf(labels: LabelList, name: string): string | undefined {
  for (let index = 0; index < labels.length; index += 2) if (labels[index] === name) return labels[index + 1]
  return undefined
}
