import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import type { EntriesEdit } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { LabelList, RecordBegin } from '../record.ts'
import { labelEdit } from './update-labels.ts'
import type { MutationContext } from './mutations.ts'

/** Label by which an attachment is known: of each key the latest counts. */
const KEY_LABEL = 'key'
/** With the value `true` it takes an attachment out of all queries (ReductStore's way); it is still read by its time. */
const REMOVE_LABEL = 'remove'

/** @throws {StorageError} `ERR_INVALID`, as ReductStore refuses it */
export function checkAttachment({ target, labels }: RecordBegin): void {
  const refuse = (why: string): never => {
    throw new StorageError('ERR_INVALID', `${target.bucket}/${target.entry}: ${why}`, target)
  }
  if (valueOf(labels, KEY_LABEL) === undefined) refuse(`an attachment needs a label '${KEY_LABEL}'`)
  if (valueOf(labels, REMOVE_LABEL) === 'true')
    refuse(`an attachment is taken away by an update of its label '${REMOVE_LABEL}'`)
}

/**
 * What the frame that finishes an attachment says besides: the others of its key are taken away. Their blocks are held: the
 * caller lets go of them. Only in an exclusive job.
 */
export async function replacedAttachments(
  context: MutationContext,
  entry: Entry,
  { timestampUs, labels }: RecordBegin,
): Promise<EntriesEdit[]> {
  const key = valueOf(labels, KEY_LABEL)
  const edits: EntriesEdit[] = []
  const updated = new Map<bigint, Uint8Array>()
  const source = context.source(entry)
  try {
    for (const block of source.blocks) {
      const { bytes, recordFromBytes, recordToBytes } = await source.descriptor(block)
      for (const [index, from] of recordFromBytes.entries()) {
        const record = decodeRecord(bytes, from, recordToBytes[index])
        const isOther =
          record.timestampUs !== BigInt(timestampUs) &&
          record.state === recordStateNumber.finished &&
          valueOf(record.labels, KEY_LABEL) === key &&
          valueOf(record.labels, REMOVE_LABEL) !== 'true'
        if (!isOther) continue
        const set = new Map([[REMOVE_LABEL, 'true']])
        edits.push(await labelEdit(context, entry, { timestampUs: record.timestampUs, set }, updated))
      }
    }
    return edits
  } catch (error) {
    for (const { block } of edits) block.holds -= 1
    throw error
  }
}

function valueOf(labels: LabelList, name: string): string | undefined {
  for (let index = 0; index < labels.length; index += 2) if (labels[index] === name) return labels[index + 1]
  return undefined
}
