import { describe, expect, it } from '@jest/globals'
import type { EntryName } from '../../../src/storage/record.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { filesBelow, openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: what recovery cannot carry out is said before it writes anything, in words that name the file.
 * Method: directories of killed stores, changed on the simulated disk.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const logDirectory = '/data/.sediment/log'

async function killedStore(disk: SimulatedDisk): Promise<string> {
  const storage = await openStore(disk.fs, { limits: { directBytesMin: 100 } })
  for (const us of [0, 1, 2]) await storage.submit({ writes: [write(entry, t0 + us)] })
  disk.killProcess()
  return logOf(disk)
}

function logOf(disk: SimulatedDisk): string {
  const paths = disk.paths(logDirectory).filter((path) => path.endsWith('.log'))
  return paths
    .sort((a, b) => Number.parseInt(a.split('/').at(-1)!) - Number.parseInt(b.split('/').at(-1)!))
    .at(-1)!
}

/** What an attempt to open says; it must have changed nothing but who the owner is. */
async function refusal(disk: SimulatedDisk): Promise<{ code: string; message: string }> {
  const fs = disk.restart()
  const before = await filesBelow(fs)
  const error = await openStore(fs).then(
    () => ({ code: 'it opened', message: '' }),
    (reason: { code: string; message: string }) => reason,
  )
  expect(await filesBelow(fs)).toEqual(before)
  return error
}

describe('a log file whose header does not verify', () => {
  it('is damage where the checkpoint begins with it', async () => {
    const disk = new SimulatedDisk({ seed: 21 })
    const path = await killedStore(disk)
    disk.flipBit(path, 70)
    expect(await refusal(disk)).toMatchObject({ code: 'ERR_CORRUPT', message: expect.stringContaining(path) })
    const { findings } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(findings.map(({ severity }) => severity)).toContain('damaged')
  })

  it('is damage where a whole frame follows it', async () => {
    const disk = new SimulatedDisk({ seed: 22 })
    const first = await killedStore(disk)
    const second = `${logDirectory}/${Number(first.split('/').at(-1)!.replace('.log', '')) + 1}.log`
    // The second frame of the log, in a file of its own that begins with it.
    const bytes = disk.peek(first)!
    const frameAtBytes = 1024
    expect(Buffer.from(bytes.subarray(frameAtBytes, frameAtBytes + 4)).toString()).toBe('SEDF')
    disk.putFile(second, Buffer.concat([new Uint8Array(512).fill(7), bytes.subarray(frameAtBytes)]))
    disk.putFile(first, bytes.slice(0, frameAtBytes))
    expect(await refusal(disk)).toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringMatching(`${second}: the header is damaged, and group 2 stands behind it`),
    })
  })

  it('is a torn one where nothing follows it, and another where only what is known follows', async () => {
    for (const copied of [0, 1]) {
      const disk = new SimulatedDisk({ seed: 23 })
      const first = await killedStore(disk)
      const second = `${logDirectory}/${Number(first.split('/').at(-1)!.replace('.log', '')) + 1}.log`
      const frames = disk.peek(first)!.subarray(512)
      const torn = new Uint8Array(512).fill(7)
      disk.putFile(second, copied === 0 ? torn : Buffer.concat([torn, frames]))
      const storage = await openStore(disk.restart())
      expect((await storage.entries()).map(({ recordCount }) => Number(recordCount))).toEqual([3])
      await storage.close()
    }
  })
})
