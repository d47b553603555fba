import {
  decodeRecords,
  HEADER_BYTES,
  isData,
  PRODUCER_ID_AT,
  TRANSACTIONAL_FLAG,
  type Batch,
} from './record-batch.ts'
import type { SourceRecord } from '../source.ts'

/** The type in the key of a control record that ends an aborted transaction. */
const ABORT_MARKER = 0

/** One entry of a fetch response: this producer's records from here to its abort marker must not be delivered. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** `control`: a marker of a transaction's end; `aborted`: of a transaction that was given up. */
export type BatchRole = 'data' | 'control' | 'aborted'

/**
 * What each batch is to a reader of committed records. A transaction's records share their batches with no other
 * producer's, so that whole batches are left out.
 *
 * @param aborted in the order of the response: by first offset
 */
export function rolesOf(
  batches: readonly Batch[],
  aborted: readonly AbortedTransaction[],
): readonly BatchRole[] {
  const open = new Set<bigint>()
  let index = 0
  return batches.map((batch) => {
    while (index < aborted.length && aborted[index]!.firstOffset < batch.nextOffset) {
      open.add(aborted[index]!.producerId)
      index++
    }
    if (isData(batch) && (open.size === 0 || (batch.attributes & TRANSACTIONAL_FLAG) === 0)) return 'data'
    const producerId = batch.bytes.readBigInt64BE(PRODUCER_ID_AT)
    if (isData(batch)) return open.has(producerId) ? 'aborted' : 'data'
    if (open.size > 0 && isAbortMarker(batch)) open.delete(producerId)
    return 'control'
  })
}

function isAbortMarker(batch: Batch): boolean {
  const markers: SourceRecord[] = []
  decodeRecords(batch, batch.bytes.subarray(HEADER_BYTES), 0, markers)
  const key = markers[0]?.key
  return key !== null && key !== undefined && key.length >= 4 && ((key[2]! << 8) | key[3]!) === ABORT_MARKER
}
