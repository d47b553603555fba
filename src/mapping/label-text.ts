/**
 * The bytes as a label value that every ReductStore reader gives back unchanged, `undefined` where there is none.
 *
 * Printable ASCII only: other bytes break the connection of stock's batched reads. Not empty, no blank at either
 * end: readers drop or trim those. No quotation mark at the start or together with a comma: the batched row format
 * quotes such values without an escape.
 */
export function labelText(bytes: Uint8Array): string | undefined {
  const length = bytes.byteLength
  if (length === 0 || length > LABEL_TEXT_BYTES_MAX) return undefined
  let hasQuote = false
  let hasComma = false
  for (let index = 0; index < length; index++) {
    const byte = bytes[index] as number
    if (byte < SPACE || byte > TILDE) return undefined
    if (byte === QUOTE) hasQuote = true
    else if (byte === COMMA) hasComma = true
  }
  if (bytes[0] === SPACE || bytes[length - 1] === SPACE || bytes[0] === QUOTE) return undefined
  if (hasQuote && hasComma) return undefined
  return latin1(bytes)
}

/**
 * Any text as a label value (see `labelText`): what it cannot have becomes `_`, blanks at the ends go, and so does what
 * is too long. `undefined` where nothing is left.
 */
export function legalLabelText(text: string): string | undefined {
  const legal = text
    .slice(0, LABEL_TEXT_BYTES_MAX)
    .trim()
    .replace(/[^ !#-~]/gu, '_')
  return legal === '' ? undefined : legal
}

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('latin1')
}

/** A view, no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Longer text is kept exactly, but not as a label of its own. */
const LABEL_TEXT_BYTES_MAX = 1024

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const TILDE = 0x7e
