import { findBuckets, findEntries } from '../support/independent/discovery.ts'
import type { ReadOnlyFiles } from '../support/independent/files.ts'
import { readDescriptor } from '../support/independent/messages.ts'

/** Records by whether they carry the CRC-32 of their content, which the server drops from each block it saves. */
export interface ChecksumCounts {
  /** In blocks that were saved since `before`. */
  readonly savedWith: number
  readonly savedWithout: number
  /** In all other blocks. */
  readonly othersWithout: number
}

/** Both are directories without a writer, `after` with every block folded. */
export function countChecksums(before: ReadOnlyFiles, after: ReadOnlyFiles): ChecksumCounts {
  const counts = { savedWith: 0, savedWithout: 0, othersWithout: 0 }
  for (const bucket of findBuckets(after)) {
    for (const entry of findEntries(after, bucket)) {
      const directory = `${bucket}/${entry}`
      for (const name of after.list(directory)) {
        if (!name.endsWith('.meta')) continue
        const bytes = after.readFile(`${directory}/${name}`) ?? new Uint8Array(0)
        const earlier = before.readFile(`${directory}/${name}`)
        const isSaved = earlier === undefined || Buffer.compare(earlier, bytes) !== 0
        for (const { contentCrc32 } of readDescriptor(bytes, true).records) {
          if (!isSaved) counts.othersWithout += Number(contentCrc32 === undefined)
          else if (contentCrc32 === undefined) counts.savedWithout++
          else counts.savedWith++
        }
      }
    }
  }
  return counts
}
