import { createCRC64, type IHasher } from 'hash-wasm'

// One instance for the thread. Every function below uses it from start to end without awaiting.
let hasher: IHasher | undefined
/** A saved state of the hasher: 4 bytes that name the implementation, then the CRC so far, little-endian. */
let stateTemplate: Uint8Array = new Uint8Array(0)

/** Must have resolved before any other function here is called; repeated calls cost nothing. */
export async function loadCrc64(): Promise<void> {
  if (hasher !== undefined) return
  const created = await createCRC64()
  stateTemplate = created.init().save()
  hasher = created
}

/** CRC-64/XZ, the checksum of ReductStore's WAL entries, descriptors and index. */
export function crc64(bytes: Uint8Array): bigint {
  return bigEndian(loaded().init().update(bytes).digest('binary'))
}

/** CRC-64/XZ of A + `bytes`, given `previous` = that of A (of no bytes: 0). */
export function crc64Continue(previous: bigint, bytes: Uint8Array): bigint {
  new DataView(stateTemplate.buffer, stateTemplate.byteOffset).setBigUint64(4, previous, true)
  return bigEndian(loaded().load(stateTemplate).update(bytes).digest('binary'))
}

/** Writes the CRC-64/XZ of `source[fromBytes, toBytes)` as 8 big-endian bytes at `target[atBytes]`. */
export function crc64Into(
  target: Uint8Array,
  atBytes: number,
  source: Uint8Array,
  fromBytes: number,
  toBytes: number,
): void {
  target.set(loaded().init().update(source.subarray(fromBytes, toBytes)).digest('binary'), atBytes)
}

function loaded(): IHasher {
  if (hasher === undefined) throw new Error('loadCrc64() has not resolved')
  return hasher
}

function bigEndian(digest: Uint8Array): bigint {
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0)
}
