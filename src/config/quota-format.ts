import type { BucketSettings } from '../storage/index.ts'
import { bytes, isText, simple, type Format } from './format.ts'

const TIB = 1024 ** 4
const size = bytes(1, 1024 * TIB)

/** `none`, `fifo:10GB`, `hard:10GB`; kept as text, the size in bytes. */
export const quota: Format = simple(
  'none, or fifo: or hard: and a size, such as fifo:10GB or hard:512MiB',
  (raw) => {
    const parsed = isText(raw) ? parseQuota(raw) : undefined
    return parsed && showQuota(parsed)
  },
)

/** `undefined` for text that is no quota. */
export function parseQuota(text: string): BucketSettings['quota'] | undefined {
  if (text === 'none') return { kind: 'none', bytes: 0 }
  const [, kind, amount] = /^(fifo|hard):(.+)$/.exec(text) ?? []
  if (amount === undefined) return undefined
  const reading = size.read(amount)
  if ('faults' in reading || typeof reading.value !== 'number') return undefined
  return { kind: kind === 'fifo' ? 'fifo' : 'hard', bytes: reading.value }
}

export function showQuota({ kind, bytes: limit }: BucketSettings['quota']): string {
  return kind === 'none' ? kind : `${kind}:${limit}`
}
