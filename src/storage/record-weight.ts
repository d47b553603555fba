import type { RecordWrite } from './record.ts'

/** Time, range, state, checksums and framing of one record, about. */
const RECORD_FIXED_BYTES = 128

/** Of a record to be stored, what its weight follows from; its content may come later. */
export interface Weighable extends Pick<RecordWrite, 'target' | 'labels' | 'contentType'> {
  readonly content: { readonly byteLength: number }
}

/** What a record counts for where submissions and groups are closed, in bytes: about what it takes in a frame. */
export function weighRecord({ content, contentType, labels }: Weighable): number {
  let bytes = RECORD_FIXED_BYTES + content.byteLength + contentType.length
  for (const text of labels) bytes += text.length
  return bytes
}
