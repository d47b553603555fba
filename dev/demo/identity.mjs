import { createHash } from 'node:crypto'

/** What must come back unchanged of a message: key, headers in order, value and time, each told apart from nothing. */
export function digestMessage({ key, headers, value, timestampMs }) {
  const hash = createHash('sha256')
  const add = (bytes) => hash.update(bytes === null ? '-' : `${bytes.length}:`).update(bytes ?? '')
  add(key)
  add(value)
  for (const [name, content] of headers) {
    add(Buffer.from(name))
    add(content)
  }
  return hash.update(String(timestampMs)).digest('base64')
}
