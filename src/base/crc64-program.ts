/**
 * WebAssembly that continues a CRC-64 over a range of its own memory, eight bytes a step: as JavaScript, which has no integers
 * of 64 bits that are numbers, it takes five times as long.
 *
 *     memory   0              16384   16392          pages * 65536
 *              +--------------+-------+--------------+
 *              | tables       | state | bytes        |
 *              +--------------+-------+--------------+
 *
 * `tables`: eight of 256 u64. Table 0 has the remainder of each byte, table n that of the byte with n zero bytes behind it.
 * `state`: the CRC so far as u64, inverted, as the loop needs it.
 */
export const CRC64_STATE_AT = 8 * 256 * 8
export const CRC64_BYTES_AT = CRC64_STATE_AT + 8

const Type = { i32: 0x7f, i64: 0x7e, none: 0x40, function: 0x60 } as const
const Section = { type: 1, function: 3, memory: 5, export: 7, code: 10 } as const
const Kind = { function: 0, memory: 2 } as const
const Op = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  localGet: 0x20,
  localSet: 0x21,
  i64Load: 0x29,
  i32Load8u: 0x2d,
  i64Store: 0x37,
  i32Const: 0x41,
  i64Const: 0x42,
  i32GtU: 0x4b,
  i32GeU: 0x4f,
  i32Add: 0x6a,
  i32And: 0x71,
  i32Xor: 0x73,
  i32Shl: 0x74,
  i64Xor: 0x85,
  i64ShrU: 0x88,
  i32WrapI64: 0xa7,
} as const

const FROM = 0
const TO = 1
const CRC = 2
const ANY_ALIGNMENT = 0

/** A module that exports `memory` of so many pages, and `run(from, to)`: the state goes on over the bytes between. */
export function crc64Program(pages: number): Uint8Array {
  const unlimited = 0
  const exported = [...[2, ...text('run'), Kind.function, 0], ...[...text('memory'), Kind.memory, 0]]
  const locals = [1, 1, Type.i64]
  const body = [...locals, ...instructions(), Op.end]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(Section.type, [1, Type.function, 2, Type.i32, Type.i32, 0]),
    ...section(Section.function, [1, 0]),
    ...section(Section.memory, [1, unlimited, ...unsigned(pages)]),
    ...section(Section.export, exported),
    ...section(Section.code, [1, ...unsigned(body.length), ...body]),
  ])
}

function instructions(): number[] {
  const advanced = (bytes: number): number[] => [Op.localGet, FROM, Op.i32Const, bytes, Op.i32Add]
  return [
    ...[Op.i32Const, ...signed(CRC64_STATE_AT), Op.i64Load, ANY_ALIGNMENT, 0, Op.localSet, CRC],
    // Eight bytes a turn, while there are eight.
    ...[Op.block, Type.none, Op.loop, Type.none],
    ...[...advanced(8), Op.localGet, TO, Op.i32GtU, Op.brIf, 1],
    ...[Op.localGet, FROM, Op.i64Load, ANY_ALIGNMENT, 0, Op.localGet, CRC, Op.i64Xor, Op.localSet, CRC],
    ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((place) => [
      ...[Op.localGet, CRC, Op.i64Const, ...signed(8 * place), Op.i64ShrU, Op.i32WrapI64],
      ...inTable(7 - place),
      ...(place === 0 ? [] : [Op.i64Xor]),
    ]),
    ...[Op.localSet, CRC, ...advanced(8), Op.localSet, FROM, Op.br, 0, Op.end, Op.end],
    // One byte a turn.
    ...[Op.block, Type.none, Op.loop, Type.none],
    ...[Op.localGet, FROM, Op.localGet, TO, Op.i32GeU, Op.brIf, 1],
    ...[Op.localGet, CRC, Op.i32WrapI64, Op.localGet, FROM, Op.i32Load8u, 0, 0, Op.i32Xor],
    ...inTable(0),
    ...[Op.localGet, CRC, Op.i64Const, 8, Op.i64ShrU, Op.i64Xor, Op.localSet, CRC],
    ...[...advanced(1), Op.localSet, FROM, Op.br, 0, Op.end, Op.end],
    ...[Op.i32Const, ...signed(CRC64_STATE_AT), Op.localGet, CRC, Op.i64Store, ANY_ALIGNMENT, 0],
  ]
}

/** What a table has for the lowest byte of the number on the stack. */
function inTable(table: number): number[] {
  const lowestByte = [Op.i32Const, ...signed(0xff), Op.i32And]
  return [...lowestByte, Op.i32Const, 3, Op.i32Shl, Op.i64Load, ANY_ALIGNMENT, ...unsigned(table * 256 * 8)]
}

function section(kind: number, content: readonly number[]): number[] {
  return [kind, ...unsigned(content.length), ...content]
}

function text(value: string): number[] {
  return [value.length, ...Buffer.from(value)]
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

/** LEB128 of a number that is not negative: the highest bit of the last byte would be its sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)]
}
