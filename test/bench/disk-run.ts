import { mkdtemp, open } from 'node:fs/promises'
import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { emptyFiles } from './empty-files.ts'
import { peerRun, type PeerRun } from './peer.ts'
import type { Topic } from './topics.ts'

const PIECE_BYTES = 4 * 1024 * 1024

/**
 * The bytes of the topic's values written to one new file, each piece synced before the next: what the disk gives to whoever
 * writes them once, without reading them from anywhere.
 */
export async function runDisk(workPath: string, topic: Topic): Promise<PeerRun> {
  const directory = await mkdtemp(join(workPath, 'disk-'))
  const piece = randomFillSync(Buffer.alloc(PIECE_BYTES))
  const wantedBytes = topic.records * topic.recordBytes
  const file = await open(join(directory, 'data'), 'w')
  try {
    const cpuBefore = process.cpuUsage()
    const startedMs = performance.now()
    for (let atBytes = 0; atBytes < wantedBytes;) {
      const { bytesWritten } = await file.write(
        piece,
        0,
        Math.min(PIECE_BYTES, wantedBytes - atBytes),
        atBytes,
      )
      await file.datasync()
      atBytes += bytesWritten
    }
    const seconds = (performance.now() - startedMs) / 1000
    const { user, system } = process.cpuUsage(cpuBefore)
    return peerRun('disk alone', {
      ...topic,
      seconds,
      cpuSeconds: (user + system) / 1e6,
      peakRssBytes: process.memoryUsage.rss(),
    })
  } finally {
    await file.close()
    await emptyFiles(directory)
  }
}
