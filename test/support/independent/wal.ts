import { crc64 } from './crc64.ts'
import { readRecord, type RecordMessage } from './messages.ts'

export type WalOperation =
  | { readonly kind: 'put'; readonly record: RecordMessage }
  | { readonly kind: 'remove-block' }
  | { readonly kind: 'remove-record'; readonly timestampUs: bigint }

/** The whole log or nothing: `undefined` for any doubt, as in ReductStore. */
export function readWal(bytes: Uint8Array): WalOperation[] | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const operations: WalOperation[] = []
  for (let at = 0; ;) {
    const type = view[at]
    if (type === 0xff) return operations
    if (type === undefined || view.length - at < 17) return undefined
    const length = view.readBigUInt64BE(at + 1)
    if (length > BigInt(view.length - at - 17)) return undefined
    const from = at + 9
    const to = from + Number(length)
    if (crc64(bytes, at, to) !== view.readBigUInt64BE(to)) return undefined
    if (type === 0 || type === 1) operations.push({ kind: 'put', record: readRecord(bytes, from, to) })
    else if (type === 2) operations.push({ kind: 'remove-block' })
    else if (type === 3) operations.push({ kind: 'remove-record', timestampUs: view.readBigUInt64BE(from) })
    else return undefined
    at = to + 8
  }
}
