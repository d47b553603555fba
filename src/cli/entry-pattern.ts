import { isAttachment, type EntryInfo } from '../storage/index.ts'
import { UsageError } from './usage-error.ts'

/**
 * Which entries a person means by `bucket`, `bucket/entry` or either with `*` (any characters, slashes too). An
 * entry stands for those below it as well: `kafka/orders` means `kafka/orders`, `kafka/orders/0`, …
 */
function entryMatcher(pattern: string): (entry: Pick<EntryInfo, 'bucket' | 'entry'>) => boolean {
  const trimmed = pattern.replace(/\/+$/, '')
  const source = trimmed
    .split('*')
    .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  const expression = new RegExp(`^${source}(/.*)?$`, 's')
  return ({ bucket, entry }) => expression.test(`${bucket}/${entry}`)
}

/**
 * @param entries attachments (`$meta`) too; they are meant only where the pattern ends with their segment
 * @throws {UsageError} when nothing matches; names what there is
 */
export function selectEntries(entries: readonly EntryInfo[], pattern: string): EntryInfo[] {
  const matches = entryMatcher(pattern)
  const asksForAttachments = isAttachment({ entry: pattern.replace(/\/+$/, '') })
  const meant = entries.filter((entry) => isAttachment(entry) === asksForAttachments)
  const selected = meant.filter(matches)
  if (selected.length > 0) return selected
  const known = meant.slice(0, 3).map(({ bucket, entry }) => `${bucket}/${entry}`)
  const hint =
    known.length === 0
      ? 'the directory has no entries'
      : `there is ${known.join(', ')}${meant.length > 3 ? ', …' : ''}`
  throw new UsageError(`no entry matches ${JSON.stringify(pattern)}; ${hint} (see: sediment ls)`)
}

/** @throws {UsageError} unless it is `bucket/entry` without a wildcard. */
export function parseEntryName(text: string): { bucket: string; entry: string } {
  const slash = text.indexOf('/')
  if (slash < 1 || slash === text.length - 1 || text.includes('*')) {
    throw new UsageError(`not an entry: ${JSON.stringify(text)}; write bucket/entry, as sediment ls shows it`)
  }
  return { bucket: text.slice(0, slash), entry: text.slice(slash + 1) }
}
