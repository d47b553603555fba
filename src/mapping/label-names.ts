/** Labels that Sediment writes itself. Part of the stored format: never change a name or its meaning. */
export const labels = {
  /** Kafka offset, decimal. On every record. */
  offset: 'offset',
  /** Where the entry name does not hold them exactly (`identityIn` in `entry-template.ts`). */
  topic: 'topic',
  partition: 'partition',
  /** The key, where `labelText` can carry it. */
  key: 'key',
  /** `empty`: a key of no bytes. A null key has none of the three key labels. */
  keyState: 'kafka-key',
  /** The key in base64url, where the label `key` cannot carry it. */
  key64: 'kafka-key64',
  /** `null`: a tombstone. */
  valueState: 'kafka-value',
  /** Names of all headers in order, separated by commas, when each is a label. */
  headers: 'kafka-headers',
  /** All headers in the encoding of `headers.ts`, when some are no labels. */
  headers64: 'kafka-headers64',
  /** Labels of this record that were left off, for they had too many values, separated by commas. */
  limited: 'kafka-limited',
  /** Where the time is from instead of the Kafka record: `arrival`, `header:NAME` or `json:/pointer`. */
  timestampSource: 'ts_source',
  /** The record's own time in milliseconds, where another was taken and the record had one. */
  timestampRecord: 'ts_record',
  /** Written by the storage engine: the wanted time in microseconds, when the slot is in another millisecond. */
  timestampOriginal: 'ts_original',
} as const

/** Key, headers, constants and our own labels of one record, names and values together. */
export const labelBytesMax = 4096

/** Names that neither constants nor headers may take; readers over HTTP do not tell upper from lower case. */
export function isReservedLabel(name: string): boolean {
  const lower = name.toLowerCase()
  return reservedNames.has(lower) || reservedPrefixes.some((prefix) => lower.startsWith(prefix))
}

/**
 * The label a header becomes, `undefined` when its name cannot be one. Dots become underscores, reserved names get
 * `h_` in front; `h_` itself is reserved, so that no two rules of this function meet in one label.
 */
export function headerLabelName(headerName: string): string | undefined {
  if (!/^[A-Za-z0-9_.-]{1,128}$/.test(headerName)) return undefined
  const name = headerName.replaceAll('.', '_')
  return isReservedLabel(name) ? `h_${name}` : name
}

const reservedNames: ReadonlySet<string> = new Set(['offset', 'topic', 'partition', 'key'])
const reservedPrefixes = ['kafka-', 'ts_', 'h_']
