import { JsonScan, type JsonFault, type JsonValue } from './json-scan.ts'
import { asBuffer, latin1 } from './label-text.ts'
import type { KafkaMessage } from './message.ts'

/** Where in a message something stands: the first header of a name, a place in its JSON value, or its key. */
export type FieldSource = { readonly header: string } | { readonly json: string } | { readonly key: true }

/** What stands there: text, something that is not looked at as text, or why nobody can tell. */
export type Field =
  | { readonly text: string }
  | { readonly type: 'object' | 'array' | 'long text' }
  | { readonly unreadable: JsonFault }

/** Longer keys, headers and JSON strings are there, but not looked at. In bytes, of JSON in characters. */
const TEXT_LENGTH_MAX = 4096

/** How a field is called in labels and explanations. */
export function fieldName(source: FieldSource): string {
  if ('header' in source) return `header:${source.header}`
  return 'json' in source ? `json:${source.json}` : 'key'
}

/** Reads fields of one message after the other. JSON is parsed at most once a message, when it is first asked for. */
export class FieldReader {
  readonly #pointers: readonly string[]
  readonly #scan: JsonScan
  #message: KafkaMessage = NO_MESSAGE
  #values: readonly (JsonValue | undefined)[] | JsonFault | undefined

  /** @param pointers - all that will be asked for */
  constructor(pointers: Iterable<string>) {
    this.#pointers = [...new Set(pointers)]
    this.#scan = new JsonScan(this.#pointers)
  }

  begin(message: KafkaMessage): void {
    this.#message = message
    this.#values = undefined
  }

  /** `undefined`: it is missing or null, as is everything in a tombstone. */
  read(source: FieldSource): Field | undefined {
    if ('json' in source) return this.json(source.json)
    return bytesField('header' in source ? this.header(source.header) : this.#message.key)
  }

  header(name: string): Uint8Array | null | undefined {
    return this.#message.headers.find((header) => latin1(header.name) === name)?.value
  }

  json(pointer: string): Field | undefined {
    const { value } = this.#message
    if (value === null) return undefined
    this.#values ??= this.#scan.scan(value)
    if (typeof this.#values === 'string') return { unreadable: this.#values }
    const found = this.#values[this.#pointers.indexOf(pointer)]
    if (found === undefined || found.type === 'null') return undefined
    if (found.type === 'object' || found.type === 'array') return { type: found.type }
    return textField(found.text)
  }
}

function bytesField(bytes: Uint8Array | null | undefined): Field | undefined {
  if (bytes === null || bytes === undefined) return undefined
  return bytes.byteLength > TEXT_LENGTH_MAX ? LONG_TEXT : textField(asBuffer(bytes).toString('utf8'))
}

function textField(text: string): Field {
  return text.length > TEXT_LENGTH_MAX ? LONG_TEXT : { text }
}

const LONG_TEXT: Field = { type: 'long text' }

const NO_MESSAGE: KafkaMessage = { offset: 0, timestampMs: -1, key: null, value: null, headers: [] }
