import { latin1, labelText } from './label-text.ts'
import { headerLabelName, labels as ours } from './label-names.ts'
import type { MessageHeader } from './message.ts'

/**
 * The exact encoding of a message's headers, in base64url in the label `kafka-headers64`. Items in header order:
 *
 *      +-------------+--------+-----------+---------+
 *      | name length |  name  | value tag |  value  |
 *      +-------------+--------+-----------+---------+
 *        varint        bytes    varint      bytes
 *
 *  value tag 0: the value is null; 1: it is in the label of `headerLabelName(name)`; n + 2: n bytes follow.
 *  Varints are unsigned LEB128.
 */
const TAG_NULL = 0
const TAG_LABEL = 1
const TAG_BYTES = 2

/** The header names of a message: the same for most messages of a topic, so what follows from them is kept. */
export interface HeaderShape {
  readonly names: readonly Uint8Array[]
  /** The label of each header, `undefined` where it becomes none. */
  readonly labelNames: readonly (string | undefined)[]
  /** Value of the label `kafka-headers`, when every header has a label. */
  readonly list: string | undefined
}

/** Which headers a rule wants as labels, and which label names are others'. */
export interface HeaderChoice {
  readonly wanted: (headerName: string) => boolean
  readonly taken: ReadonlySet<string>
}

/** @param taken - labels that no header may have */
export function headerChoice(headers: readonly string[], taken: readonly string[]): HeaderChoice {
  const names = new Set(headers)
  return {
    wanted: names.has('*') ? () => true : (name) => names.has(name),
    taken: new Set(taken.map((name) => name.toLowerCase())),
  }
}

export function headerShape(headers: readonly MessageHeader[], choice: HeaderChoice): HeaderShape {
  const texts = headers.map((header) => latin1(header.name))
  const candidates = texts.map((text) => {
    const name = choice.wanted(text) ? headerLabelName(text) : undefined
    return name !== undefined && choice.taken.has(name.toLowerCase()) ? undefined : name
  })
  const counts = new Map<string, number>()
  for (const name of candidates) {
    if (name !== undefined) counts.set(name.toLowerCase(), (counts.get(name.toLowerCase()) ?? 0) + 1)
  }
  const labelNames = candidates.map((name) =>
    counts.get(name?.toLowerCase() ?? '') === 1 ? name : undefined,
  )
  return {
    // Copies: a Buffer's `slice` would still read the message's memory, which others are put into later.
    names: headers.map((header) => Uint8Array.from(header.name)),
    labelNames,
    list: labelNames.includes(undefined) ? undefined : texts.join(','),
  }
}

export function hasShape(headers: readonly MessageHeader[], shape: HeaderShape): boolean {
  if (headers.length !== shape.names.length) return false
  for (let index = 0; index < headers.length; index++) {
    if (!bytesEqual((headers[index] as MessageHeader).name, shape.names[index] as Uint8Array)) return false
  }
  return true
}

/**
 * Adds the labels that hold `headers`, which have the given shape.
 * @param admits - whether a label may have a value; else it is kept without being a label
 */
export function pushHeaderLabels(
  target: string[],
  headers: readonly MessageHeader[],
  shape: HeaderShape,
  admits?: (label: string, value: string) => boolean,
): void {
  const before = target.length
  let isComplete = shape.list !== undefined
  for (let index = 0; index < headers.length; index++) {
    const labelName = shape.labelNames[index]
    const value = (headers[index] as MessageHeader).value
    const text = labelName === undefined || value === null ? undefined : labelText(value)
    if (text === undefined || admits?.(labelName as string, text) === false) isComplete = false
    else target.push(labelName as string, text)
  }
  if (isComplete) target.push(ours.headers, shape.list as string)
  else target.push(ours.headers64, encodeHeaders(headers, shape, new Set(everySecond(target, before))))
}

/** The headers that these labels hold, `undefined` when the labels contradict themselves. */
export function readHeaderLabels(labels: ReadonlyMap<string, string>): MessageHeader[] | undefined {
  const list = labels.get(ours.headers)
  if (list !== undefined) {
    const headers = list.split(',').map((name) => labelledHeader(Buffer.from(name, 'latin1'), labels))
    return headers.includes(undefined) ? undefined : (headers as MessageHeader[])
  }
  const encoded = labels.get(ours.headers64)
  return encoded === undefined ? [] : decodeHeaders(Buffer.from(encoded, 'base64url'), labels)
}

function encodeHeaders(
  headers: readonly MessageHeader[],
  shape: HeaderShape,
  labelled: ReadonlySet<string>,
): string {
  const parts: Uint8Array[] = []
  headers.forEach((header, index) => {
    const labelName = shape.labelNames[index]
    parts.push(varint(header.name.byteLength), header.name)
    if (header.value === null) parts.push(varint(TAG_NULL))
    else if (labelName !== undefined && labelled.has(labelName)) parts.push(varint(TAG_LABEL))
    else parts.push(varint(TAG_BYTES + header.value.byteLength), header.value)
  })
  return Buffer.concat(parts).toString('base64url')
}

function decodeHeaders(bytes: Buffer, labels: ReadonlyMap<string, string>): MessageHeader[] | undefined {
  const headers: MessageHeader[] = []
  let atBytes = 0
  const readVarint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[atBytes++]
      if (byte === undefined || scale > 2 ** 42) return Infinity
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  const readBytes = (length: number): Buffer | undefined => {
    if (length > bytes.byteLength - atBytes) return undefined
    atBytes += length
    return bytes.subarray(atBytes - length, atBytes)
  }
  while (atBytes < bytes.byteLength) {
    const name = readBytes(readVarint())
    if (name === undefined) return undefined
    const tag = readVarint()
    let header: MessageHeader | undefined
    if (tag === TAG_NULL) header = { name, value: null }
    else if (tag === TAG_LABEL) header = labelledHeader(name, labels)
    else {
      const value = readBytes(tag - TAG_BYTES)
      header = value && { name, value }
    }
    if (header === undefined) return undefined
    headers.push(header)
  }
  return headers
}

function labelledHeader(name: Uint8Array, labels: ReadonlyMap<string, string>): MessageHeader | undefined {
  const text = labels.get(headerLabelName(latin1(name)) ?? '')
  return text === undefined ? undefined : { name, value: Buffer.from(text, 'latin1') }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}

function everySecond(list: readonly string[], fromIndex: number): string[] {
  return list.filter((_, index) => index >= fromIndex && (index - fromIndex) % 2 === 0)
}

function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.byteLength !== right.byteLength) return false
  for (let index = 0; index < left.byteLength; index++) {
    if (left[index] !== right[index]) return false
  }
  return true
}
