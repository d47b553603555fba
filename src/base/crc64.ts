import { copyInto } from './copy-into.ts'
import { CRC64_BYTES_AT, CRC64_STATE_AT, crc64Program } from './crc64-program.ts'

/** The polynomial of CRC-64/XZ, as of all that follows the coefficient of x^0 in the highest bit. */
const MODULUS = 0xc96c_5795_d787_0f42n
const PAGE_BYTES = 65_536
const PAGES = 5

/** As much of it as is needed here: the library of types that has it is that of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

// One instance for the thread. Every function below uses it from start to end without awaiting.
const { memory, run } = new WebAssembly.Instance(new WebAssembly.Module(crc64Program(PAGES))).exports as {
  memory: { readonly buffer: ArrayBuffer }
  run: (fromBytes: number, toBytes: number) => void
}
const state = new Int32Array(memory.buffer, CRC64_STATE_AT, 2)
const exactState = new BigUint64Array(memory.buffer, CRC64_STATE_AT, 1)
/** Where bytes from elsewhere are brought. */
const passing = Buffer.from(memory.buffer, CRC64_BYTES_AT, PAGE_BYTES - (CRC64_BYTES_AT % PAGE_BYTES))
/**
 * Room for bytes that are made to be checksummed: what `crc64Into` finds here it does not copy first. It is anybody's
 * behind the next await.
 */
export const crc64Room = Buffer.from(
  memory.buffer,
  passing.byteOffset + passing.byteLength,
  PAGES * PAGE_BYTES - passing.byteOffset - passing.byteLength,
)
fillTables(new BigUint64Array(memory.buffer, 0, 8 * 256))

/** CRC-64/XZ, the checksum of ReductStore's WAL entries, descriptors and index. */
export function crc64(bytes: Uint8Array): bigint {
  return crc64Continue(0n, bytes)
}

/** CRC-64/XZ of A + `bytes`, given `previous` = that of A (of no bytes: 0). */
export function crc64Continue(previous: bigint, bytes: Uint8Array): bigint {
  exactState[0] = ~previous
  runOver(bytes)
  return BigInt.asUintN(64, ~exactState[0])
}

/** Writes the CRC-64/XZ of `source[fromBytes, toBytes)` as 8 big-endian bytes at `target[atBytes]`. */
export function crc64Into(
  target: Uint8Array,
  atBytes: number,
  source: Uint8Array,
  fromBytes: number,
  toBytes: number,
): void {
  state[0] = -1
  state[1] = -1
  if (source === crc64Room) run(crc64Room.byteOffset + fromBytes, crc64Room.byteOffset + toBytes)
  else runOver(source.subarray(fromBytes, toBytes))
  putU32(target, atBytes, ~state[1])
  putU32(target, atBytes + 4, ~state[0])
}

function runOver(bytes: Uint8Array): void {
  for (let from = 0; from < bytes.byteLength; from += passing.byteLength) {
    const part =
      bytes.byteLength <= passing.byteLength ? bytes : bytes.subarray(from, from + passing.byteLength)
    copyInto(passing, 0, part)
    run(passing.byteOffset, passing.byteOffset + part.byteLength)
  }
}

function putU32(target: Uint8Array, atBytes: number, value: number): void {
  target[atBytes] = value >>> 24
  target[atBytes + 1] = value >>> 16
  target[atBytes + 2] = value >>> 8
  target[atBytes + 3] = value
}

function fillTables(tables: BigUint64Array): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ MODULUS : crc >> 1n
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const shorter = tables[index - 256] as bigint
    tables[index] = (shorter >> 8n) ^ (tables[Number(shorter & 0xffn)] as bigint)
  }
}
