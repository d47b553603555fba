import { describe, expect, it } from '@jest/globals'
import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
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

describe('a block that ReductStore saved after the kill', () => {
  /** As ReductStore saves it: without our fields and without the WAL, which it has not replayed. */
  async function savedByStock(): Promise<{ disk: SimulatedDisk; path: string; dataBytes: number }> {
    const disk = new SimulatedDisk({ seed: 24 })
    const storage = await openStore(disk.fs, { limits: { directBytesMin: 100 } })
    await storage.submit({ writes: [write(entry, t0)] })
    await storage.settle()
    const path = `/data/kafka/topic/0/${t0}`
    const sealed = decodeDescriptor(disk.peek(`${path}.meta`)!)
    await storage.submit({
      writes: [write(entry, t0 + 5, 'x'.repeat(500)), write(entry, t0 + 6, 'y'.repeat(500))],
    })
    disk.killProcess()
    const { bytes, recordFromBytes, recordToBytes, sizeBytes } = sealed
    const record = bytes.slice(recordFromBytes[0], recordToBytes[0])
    disk.putFile(`${path}.meta`, encodeDescriptor({ id: BigInt(t0), sizeBytes }, [record]))
    await disk.restart().unlink(`/data/kafka/topic/0/.wal/${t0}.wal`)
    return { disk, path, dataBytes: sizeBytes }
  }

  it('gets the records that it does not hold', async () => {
    const { disk } = await savedByStock()
    const storage = await openStore(disk.restart())
    const contents: string[] = []
    for await (const record of storage.records(entry))
      contents.push(Buffer.from(await record.read()).toString())
    expect(contents).toEqual([`content of ${t0}`, 'x'.repeat(500), 'y'.repeat(500)])
    await storage.close()
  })

  it('stops the open, before anything is written, where their content was cut: with the records and what to do', async () => {
    const { disk, path, dataBytes } = await savedByStock()
    disk.putFile(`${path}.blk`, disk.peek(`${path}.blk`)!.slice(0, dataBytes))
    const { code, message } = await refusal(disk)
    expect(code).toBe('ERR_CORRUPT')
    expect(message).toContain(
      `${path}.blk: ReductStore has cut the content of 2 records, with times from ${t0 + 5} to ${t0 + 6}: put`,
    )
    expect(message).not.toContain('\n')
  })
})
