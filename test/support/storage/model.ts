import { createHash } from 'node:crypto'
import type { RecordWrite } from '../../../src/storage/record.ts'
import type { Contents, ReadRecord } from './contents.ts'

/** What a store must show: records by slot, each the first free microsecond at or after its wanted time. */
export class StoreModel {
  readonly #entries = new Map<string, Map<number, ReadRecord>>()

  /** @returns the slot */
  add({ target, timestampUs, labels, contentType, content }: RecordWrite): number {
    const name = `${target.bucket}/${target.entry}`
    const records = this.#entries.get(name) ?? new Map<number, ReadRecord>()
    this.#entries.set(name, records)
    let slotUs = timestampUs
    while (records.has(slotUs)) slotUs += 1
    const stored: Record<string, string> = {}
    for (let index = 0; index < labels.length; index += 2)
      stored[labels[index] as string] = labels[index + 1] as string
    if (slotUs - timestampUs >= 1000) stored['ts_original'] = String(timestampUs)
    records.set(slotUs, {
      ts: String(slotUs),
      labels: stored,
      content_type: contentType,
      size: content.byteLength,
      sha256: createHash('sha256').update(content).digest('hex'),
    })
    return slotUs
  }

  get contents(): Contents {
    return Object.fromEntries([...this.#entries].map(([name]) => [name, this.recordsOf(name)]))
  }

  /** Ascending. */
  recordsOf(name: string): ReadRecord[] {
    return [...(this.#entries.get(name) ?? new Map<number, ReadRecord>())]
      .sort(([one], [other]) => one - other)
      .map(([, record]) => record)
  }
}
