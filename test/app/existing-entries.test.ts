// Goal: the mapping learns which entries there are and whose they are, also when one of them cannot be read.
import { expect, it } from '@jest/globals'
import { existingEntries } from '../../src/app/existing-entries.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ruleWith } from '../support/mapping/rules.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore } from '../support/storage/store.ts'
import { StorageError, type RecordReader } from '../../src/storage/index.ts'

const content = new Uint8Array(1)
const write = (bucket: string, entry: string, timestampUs: number, labels: string[]) => ({
  target: { bucket, entry },
  timestampUs,
  labels,
  contentType: 'text/plain',
  content,
})
const byPath = (found: Awaited<ReturnType<typeof existingEntries>>) =>
  Object.fromEntries(found.map(({ bucket, entry, topic }) => [`${bucket}/${entry}`, topic]))

async function filledStore() {
  const store = await openStore(new SimulatedDisk({ seed: 1 }).fs, { clock: new ManualClock() })
  await store.submit({
    writes: [
      write('kafka', 'device-1', 1000, ['offset', '1', 'topic', 'orders', 'partition', '0']),
      write('kafka', 'device-2', 1000, ['offset', '1', 'topic', 'orders', 'partition', '0']),
      write('kafka', 'device-2', 9000, ['offset', '2', 'topic', 'wine', 'partition', '0']),
      write('kafka', 'orders/0', 1000, ['offset', '1']),
      write('kafka', 'by-hand', 1000, ['who', 'a person']),
      write('other', 'device-1', 1000, ['offset', '1']),
    ],
  })
  return store
}

it('tells those that the rules could have made, with the topic of the latest record', async () => {
  const store = await filledStore()

  expect(byPath(await existingEntries(store, [ruleWith(), ruleWith({ entry: '{key}' })]))).toEqual({
    'kafka/device-1': 'orders',
    'kafka/device-2': 'wine',
    'kafka/by-hand': undefined,
  })
  await store.close()
})

it('reads nothing where no name is made of messages', async () => {
  const unread = {
    entries: () => Promise.reject(new Error('read')),
    records: () => {
      throw new Error('read')
    },
  }

  expect(await existingEntries(unread, [ruleWith()])).toEqual([])
})

it('does without the topic of an entry that cannot be read', async () => {
  const store = await filledStore()
  const damaged: Pick<RecordReader, 'entries' | 'records'> = {
    entries: () => store.entries(),
    records: () => {
      throw new StorageError('ERR_CORRUPT', 'a block is damaged')
    },
  }

  expect(byPath(await existingEntries(damaged, [ruleWith({ entry: '{key}' })]))).toMatchObject({
    'kafka/device-1': undefined,
  })
  await store.close()
})
