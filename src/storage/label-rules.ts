import { StorageError } from './errors.ts'
import type { RecordWrite } from './record.ts'

const NAME = /^[A-Za-z0-9_.-]+$/
/** Names seen before and found good; bounded, since names come from configuration and headers. */
const goodNames = new Set<string>()
const GOOD_NAMES_MAX = 10_000

/**
 * What ReductStore's HTTP side cannot serve ends its process (W15), so it is refused here: names that are no HTTP
 * tokens, values and content types with control characters or beyond ASCII.
 * @throws {StorageError} `ERR_INVALID`
 */
export function checkLabels({
  labels,
  target,
  contentType,
}: Pick<RecordWrite, 'labels' | 'target' | 'contentType'>): void {
  for (let index = 0; index < labels.length; index += 2) {
    const name = labels[index] as string
    if (!goodNames.has(name)) {
      if (!NAME.test(name)) {
        throw new StorageError(
          'ERR_INVALID',
          `label name '${name}' is not allowed: A-Z a-z 0-9 _ . -`,
          target,
        )
      }
      if (goodNames.size < GOOD_NAMES_MAX) goodNames.add(name)
    }
    if (!isPrintable(labels[index + 1] as string)) {
      throw new StorageError('ERR_INVALID', `value of label '${name}' is not printable ASCII`, target)
    }
  }
  if (!isPrintable(contentType))
    throw new StorageError('ERR_INVALID', 'content type is not printable ASCII', target)
}

function isPrintable(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}
