import { getHeapStatistics } from 'node:v8'
import fc from 'fast-check'
import { fuzzInputs, type FuzzInput } from './mutations.ts'

/** What a decoder made of bytes: all of them, their beginning, or nothing, and it said so. */
export type FuzzVerdict = 'whole' | 'part' | 'refused'

/** One decoder. */
export interface FuzzTarget {
  readonly name: string
  /** Bytes that decode. */
  readonly valid: fc.Arbitrary<Uint8Array>
  /** Puts the checksums right. */
  readonly reseal?: (bytes: Uint8Array) => Uint8Array
  /** Decodes, and throws where something came out that was never there. */
  readonly decode: (bytes: Uint8Array, origin: Uint8Array | undefined) => FuzzVerdict | Promise<FuzzVerdict>
  /** The errors that the decoder promises. They are the verdict `refused`. */
  readonly isPromised: (error: unknown) => boolean
  /** Memory that its callers set aside before they decode, by what the input says of itself. Default 0. */
  readonly reservedBytes?: (bytes: Uint8Array) => number
  /** Of one run in so many that the caller asks for: expensive targets get fewer. Default 1. */
  readonly share?: number
}

export type FuzzCounts = Record<FuzzVerdict, number>

/** A fixed part, and so much for each byte: objects for records of a few bytes are large beside them. */
const HELD_BYTES_FIXED = 4 * 1024 * 1024
const HELD_BYTES_EACH = 500
/** Of the processor, so that a busy machine does not count. */
const PROCESSOR_MS_MAX = 3_000

/**
 * Lets one decoder decode `runs` inputs that follow from `seed`.
 *
 * @throws with seed, path and the shrunk bytes when an error comes out that the decoder does not promise, when it takes
 *   memory out of proportion to its input, or when it takes long
 */
export async function fuzz(target: FuzzTarget, runs: number, seed: number): Promise<FuzzCounts> {
  const counts: FuzzCounts = { whole: 0, part: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fuzzInputs(target.valid, target.reseal), async (input) => {
      counts[await verdictOf(target, input)]++
    }),
    { numRuns: Math.max(1, Math.ceil(runs * (target.share ?? 1))), seed },
  )
  return counts
}

async function verdictOf(target: FuzzTarget, { bytes, origin }: FuzzInput): Promise<FuzzVerdict> {
  const heldBefore = heldBytes()
  const startedAt = process.cpuUsage()
  let verdict: FuzzVerdict
  try {
    verdict = await target.decode(bytes, origin)
  } catch (error) {
    if (!target.isPromised(error)) throw error
    verdict = 'refused'
  }
  const { user, system } = process.cpuUsage(startedAt)
  const grownBytes = heldBytes() - heldBefore
  const reservedBytes = target.reservedBytes?.(bytes) ?? 0
  if (grownBytes > HELD_BYTES_FIXED + HELD_BYTES_EACH * bytes.byteLength + reservedBytes)
    throw new Error(`${target.name}: ${grownBytes} bytes of memory for ${bytes.byteLength} bytes of input`)
  if ((user + system) / 1000 > PROCESSOR_MS_MAX)
    throw new Error(`${target.name}: ${(user + system) / 1000} ms for ${bytes.byteLength} bytes`)
  return verdict
}

/** Objects, and buffers beside the heap. */
function heldBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}
