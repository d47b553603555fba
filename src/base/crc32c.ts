import { createCRC32, type IHasher } from 'hash-wasm'

/** Castagnoli, reflected. */
const CRC32C_POLYNOMIAL = 0x82f63b78

// One instance for the thread, used from start to end without awaiting.
let hasher: IHasher | undefined

/** Must have resolved before `crc32c` is called; repeated calls cost nothing. */
export async function loadCrc32c(): Promise<void> {
  hasher ??= await createCRC32(CRC32C_POLYNOMIAL)
}

/** CRC-32C, the checksum of Kafka's record batches, as an unsigned integer. */
export function crc32c(bytes: Uint8Array): number {
  if (hasher === undefined) throw new Error('loadCrc32c() has not resolved')
  const digest = hasher.init().update(bytes).digest('binary')
  return ((digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!) >>> 0
}
