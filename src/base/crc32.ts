import { crc32 as crc32Native, crc32c as crc32cNative } from '@node-rs/crc32'

/** CRC-32 of zip and Ethernet, the checksum of contents, as an unsigned integer; a text counts as UTF-8. `before`: of the bytes before these. */
export function crc32(bytes: Uint8Array | string, before = 0): number {
  return crc32Native(bytes, before)
}

/** CRC-32C (Castagnoli), the checksum of Kafka's record batches, as an unsigned integer. */
export function crc32c(bytes: Uint8Array): number {
  return crc32cNative(bytes)
}
