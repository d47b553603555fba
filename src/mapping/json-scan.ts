import { clear, nodeAt, rootNode, type PointerNode, type Slot } from './json-pointer.ts'
import { asBuffer } from './label-text.ts'

export type JsonType = 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array'

/** A value that a pointer leads to. */
export interface JsonValue {
  readonly type: JsonType
  /** Of a string its characters, of a number, `true`, `false` and `null` what is written there; else empty. */
  readonly text: string
}

/** Why nothing can be said of a text: it is no JSON, nested too deeply, or too long to be looked at. */
export type JsonFault = 'malformed' | 'too-deep' | 'too-large'

/** Longer texts are not looked at. */
export const jsonBytesMax = 1024 * 1024
export const jsonDepthMax = 128

/**
 * Finds what some pointers lead to, in one pass over the bytes that makes no other values. It accepts what
 * `JSON.parse` accepts, whatever the pointers are; of a repeated name the last one counts. Numbers stay text: none is
 * rounded.
 */
export class JsonScan {
  readonly #root = rootNode()
  readonly #slots: Slot[]
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #isTooDeep = false

  /** @param pointers - each of them a JSON pointer */
  constructor(pointers: readonly string[]) {
    this.#slots = pointers.map(() => ({ type: undefined, start: 0, end: 0 }))
    pointers.forEach((pointer, index) => nodeAt(this.#root, pointer).slots.push(this.#slots[index] as Slot))
  }

  /** What is at each of the pointers, in their order; `undefined` where there is nothing. */
  scan(bytes: Uint8Array): readonly (JsonValue | undefined)[] | JsonFault {
    if (bytes.byteLength > jsonBytesMax) return 'too-large'
    this.#bytes = bytes
    this.#at = 0
    this.#isTooDeep = false
    clear(this.#root)
    const isWhole = this.#value(this.#root, 0) && this.#isAtEnd()
    const values = isWhole ? this.#slots.map((slot) => this.#valueOf(slot)) : undefined
    // The bytes are others' memory.
    this.#bytes = NO_BYTES
    return values ?? (this.#isTooDeep ? 'too-deep' : 'malformed')
  }

  #valueOf({ type, start, end }: Slot): JsonValue | undefined {
    if (type === undefined) return undefined
    if (type === 'object' || type === 'array') return { type, text: '' }
    const text = asBuffer(this.#bytes.subarray(start, end)).toString('utf8')
    return { type, text: type === 'string' ? decodeJsonString(text) : text }
  }

  #isAtEnd(): boolean {
    this.#blanks()
    return this.#at === this.#bytes.length
  }

  /** Each of these moves over what it is named after; false where there is none. */
  #value(node: PointerNode | undefined, depth: number): boolean {
    this.#blanks()
    const start = this.#at
    const type = typeOf(this.#bytes[start])
    if (type === undefined || !this.#typed(type, node, depth)) return false
    if (node !== undefined) {
      for (const slot of node.slots) {
        slot.type = type
        slot.start = start
        slot.end = this.#at
      }
    }
    return true
  }

  #typed(type: JsonType, node: PointerNode | undefined, depth: number): boolean {
    switch (type) {
      case 'object':
        return this.#isNotTooDeep(depth) && this.#object(node, depth + 1)
      case 'array':
        return this.#isNotTooDeep(depth) && this.#array(node, depth + 1)
      case 'string':
        return this.#string()
      case 'number':
        return this.#number()
      case 'boolean':
        return this.#bytes[this.#at] === LETTER_T ? this.#word(TRUE) : this.#word(FALSE)
      case 'null':
        return this.#word(NULL)
    }
  }

  #isNotTooDeep(depth: number): boolean {
    this.#isTooDeep ||= depth >= jsonDepthMax
    return !this.#isTooDeep
  }

  #object(node: PointerNode | undefined, depth: number): boolean {
    this.#at += 1
    this.#blanks()
    if (this.#skip(CLOSE_BRACE)) return true
    for (;;) {
      this.#blanks()
      const start = this.#at
      if (this.#bytes[start] !== QUOTE || !this.#string()) return false
      const child = node && this.#named(node, start, this.#at)
      this.#blanks()
      if (!this.#skip(COLON)) return false
      if (child !== undefined) clear(child)
      if (!this.#value(child, depth)) return false
      this.#blanks()
      if (this.#skip(CLOSE_BRACE)) return true
      if (!this.#skip(COMMA)) return false
    }
  }

  #array(node: PointerNode | undefined, depth: number): boolean {
    this.#at += 1
    this.#blanks()
    if (this.#skip(CLOSE_BRACKET)) return true
    for (let index = 0; ; index++) {
      if (
        !this.#value(
          node?.children.length ? node.children.find((child) => child.index === index) : undefined,
          depth,
        )
      )
        return false
      this.#blanks()
      if (this.#skip(CLOSE_BRACKET)) return true
      if (!this.#skip(COMMA)) return false
    }
  }

  /** The child with the name that is written, in quotation marks, from `start` to `end`. */
  #named(node: PointerNode, start: number, end: number): PointerNode | undefined {
    if (node.children.length === 0) return undefined
    const bytes = this.#bytes
    let isEscaped = false
    for (let index = start + 1; index < end - 1 && !isEscaped; index++) isEscaped = bytes[index] === BACKSLASH
    if (isEscaped) {
      const name = decodeJsonString(asBuffer(bytes.subarray(start, end)).toString('utf8'))
      return node.children.find((child) => child.name === name)
    }
    const length = end - start - 2
    for (const child of node.children) {
      const { nameBytes } = child
      let same = nameBytes.length === length
      for (let index = 0; same && index < length; index++)
        same = nameBytes[index] === bytes[start + 1 + index]
      if (same) return child
    }
    return undefined
  }

  #string(): boolean {
    const bytes = this.#bytes
    for (let at = this.#at + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === QUOTE) {
        this.#at = at + 1
        return true
      }
      if (byte < BLANK) return false
      if (byte !== BACKSLASH) continue
      at += 1
      const escaped = bytes[at]
      if (escaped === LETTER_U) {
        for (let digits = 0; digits < 4; digits++) if (!isHexDigit(bytes[++at])) return false
      } else if (escaped === undefined || !ESCAPES.includes(escaped)) return false
    }
    return false
  }

  #number(): boolean {
    this.#skip(MINUS)
    if (!this.#skip(ZERO) && !this.#digits()) return false
    if (this.#skip(POINT) && !this.#digits()) return false
    if (this.#skip(LETTER_E) || this.#skip(CAPITAL_E)) {
      if (!this.#skip(PLUS)) this.#skip(MINUS)
      return this.#digits()
    }
    return true
  }

  #digits(): boolean {
    const bytes = this.#bytes
    const start = this.#at
    let at = start
    while (isDigit(bytes[at])) at += 1
    this.#at = at
    return at > start
  }

  #word(word: Uint8Array): boolean {
    for (const byte of word) if (!this.#skip(byte)) return false
    return true
  }

  #skip(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at += 1
    return true
  }

  #blanks(): void {
    const bytes = this.#bytes
    let at = this.#at
    for (let byte = bytes[at]; byte === BLANK || byte === NEWLINE || byte === RETURN || byte === TAB;) {
      byte = bytes[++at]
    }
    this.#at = at
  }
}

/** @param text - in quotation marks, and sound */
function decodeJsonString(text: string): string {
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1)
}

function typeOf(byte: number | undefined): JsonType | undefined {
  switch (byte ?? NONE) {
    case OPEN_BRACE:
      return 'object'
    case OPEN_BRACKET:
      return 'array'
    case QUOTE:
      return 'string'
    case LETTER_T:
    case LETTER_F:
      return 'boolean'
    case LETTER_N:
      return 'null'
    default:
      return byte === MINUS || isDigit(byte) ? 'number' : undefined
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}

const NO_BYTES = new Uint8Array(0)
const NONE = -1
const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const BLANK = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const CAPITAL_E = 0x45
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LETTER_E = 0x65
const LETTER_F = 0x66
const LETTER_N = 0x6e
const LETTER_T = 0x74
const LETTER_U = 0x75
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')
/** What may follow a backslash, besides `u`. */
const ESCAPES: readonly number[] = [...Buffer.from('"\\/bfnrt')]
