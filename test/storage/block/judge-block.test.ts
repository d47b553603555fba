import { describe, expect, it } from '@jest/globals'
import { crc64, loadCrc64 } from '../../../src/base/crc64.ts'
import { judgeBlock, type BlockFiles, type BlockVerdict } from '../../../src/storage/block/judge-block.ts'
import { encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import type { IndexEntry } from '../../../src/storage/codec/index-codec.ts'
import { encodeRecord, recordBytes } from '../../../src/storage/codec/record-codec.ts'
import { scanRecord } from '../../../src/storage/codec/scan-record.ts'
import {
  finishWalEntry,
  walEntryType,
  walHeadBytes,
  walStopMarker,
  walTailBytes,
  type WalEntryType,
} from '../../../src/storage/wal/wal-codec.ts'

/**
 * Goal: of whatever is left of a block, what can be relied on is shown from its right place, and nothing else.
 * Method: one row a picture; the records that are shown, with their places.
 */

await loadCrc64()

const ID = 10n

function record(timestampUs: number, beginBytes: number, endBytes: number, state = 1): Uint8Array {
  const fields = {
    timestampUs,
    beginBytes,
    endBytes,
    state,
    labels: [],
    contentType: '',
    contentCrc32: undefined,
  }
  const bytes = new Uint8Array(recordBytes(fields))
  encodeRecord(bytes, 0, fields)
  return bytes
}

const descriptorOf = (...records: Uint8Array[]): Uint8Array => {
  const sizeBytes = Math.max(0, ...records.map((one) => scanRecord(one, 0, one.length).endBytes))
  return encodeDescriptor({ id: ID, sizeBytes }, records)
}

function walOf(...entries: [WalEntryType, Uint8Array][]): Uint8Array {
  const parts = entries.map(([type, payload]) => {
    const entry = new Uint8Array(walHeadBytes + payload.length + walTailBytes)
    entry.set(payload, walHeadBytes)
    finishWalEntry(entry, 0, type, walHeadBytes + payload.length)
    return entry
  })
  return new Uint8Array(Buffer.concat([...parts, Buffer.of(walStopMarker)]))
}

const put = (...args: Parameters<typeof record>): [WalEntryType, Uint8Array] => [
  walEntryType.writeRecord,
  record(...args),
]

function remove(timestampUs: number): [WalEntryType, Uint8Array] {
  const payload = Buffer.alloc(8)
  payload.writeBigUInt64BE(BigInt(timestampUs))
  return [walEntryType.removeRecord, new Uint8Array(payload)]
}

function listedAs(descriptor: Uint8Array, crc: bigint | undefined = crc64(descriptor)): IndexEntry {
  return {
    id: ID,
    sizeBytes: 0n,
    recordCount: 1,
    metadataBytes: BigInt(descriptor.length),
    latestUs: 0n,
    ...(crc === undefined ? {} : { crc64: crc }),
  }
}

const nothing: BlockFiles = {
  id: ID,
  listed: undefined,
  descriptor: undefined,
  wal: undefined,
  dataBytes: undefined,
  swapBytes: undefined,
}

/** `time[begin,end)state …`, from which file, in words. */
function shown(verdict: BlockVerdict): string {
  if (verdict.kind !== 'whole') return verdict.kind
  const { bytes, recordFromBytes, recordToBytes } = verdict.descriptor
  const records = Array.from(recordFromBytes, (from, index) => {
    const { timestampUs, beginBytes, endBytes, state } = scanRecord(
      bytes,
      from,
      recordToBytes[index] as number,
    )
    return `${timestampUs}[${beginBytes},${endBytes})${state === 2 ? 'errored' : ''}`
  })
  return `${records.join(' ')} of ${verdict.dataFrom}`
}

const three = [record(10, 0, 5), record(11, 5, 9), record(12, 9, 12)]
const whole = descriptorOf(...three)
const stretched = new Uint8Array([...whole, 0, 0, 0, 0, 0])
const flipped = Uint8Array.from(whole, (byte, at) => (at === 20 ? byte ^ 1 : byte))
const oldWal = walOf(put(10, 0, 5), put(11, 5, 9), put(12, 9, 12))
const all = '10[0,5) 11[5,9) 12[9,12) of data'
const moved = '10[0,5) 12[5,8)'

const pictures: [what: string, files: Partial<BlockFiles>, expected: string][] = [
  ['a sound block', { listed: listedAs(whole), descriptor: whole, dataBytes: 12 }, all],
  [
    'a data file that was made longer ahead',
    { listed: listedAs(whole), descriptor: whole, dataBytes: 1000 },
    all,
  ],
  ['a descriptor that the index does not list', { descriptor: whole, dataBytes: 12 }, all],
  [
    'a descriptor beside another checksum',
    { listed: listedAs(whole, 7n), descriptor: whole, dataBytes: 12 },
    'lost',
  ],
  [
    'the same under a WAL (W1)',
    { listed: listedAs(whole, 7n), descriptor: whole, wal: walOf(put(13, 12, 14)), dataBytes: 14 },
    '10[0,5) 11[5,9) 12[9,12) 13[12,14) of data',
  ],
  [
    'a descriptor that was only lengthened',
    { listed: listedAs(whole), descriptor: stretched, wal: walOf(put(13, 12, 14)), dataBytes: 14 },
    '10[0,5) 11[5,9) 12[9,12) 13[12,14) of data',
  ],
  [
    'the same when the index has let go of its checksum',
    {
      listed: { ...listedAs(whole), crc64: undefined },
      descriptor: stretched,
      wal: walOf(put(13, 12, 14)),
      dataBytes: 14,
    },
    '10[0,5) 11[5,9) 12[9,12) 13[12,14) of data',
  ],
  ['a flipped bit', { listed: listedAs(whole), descriptor: flipped, dataBytes: 12 }, 'lost'],
  [
    'a descriptor of 0 bytes',
    { listed: listedAs(whole), descriptor: new Uint8Array(0), dataBytes: 12 },
    'lost',
  ],
  ['no descriptor', { listed: listedAs(whole), dataBytes: 12 }, 'lost'],
  [
    'no descriptor, and a WAL',
    { listed: listedAs(whole), wal: walOf(put(13, 12, 14)), dataBytes: 14 },
    '13[12,14) of data',
  ],
  [
    'a block that no record was finished in',
    { descriptor: new Uint8Array(0), wal: walOf(), dataBytes: 1000 },
    'void',
  ],
  ['a WAL alone', { wal: oldWal, dataBytes: 1000 }, all],
  [
    'a WAL that is cut in its last entry (W7)',
    { wal: oldWal.subarray(0, -4), dataBytes: 12 },
    '10[0,5) 11[5,9) of data',
  ],
  [
    'a WAL with a hole (W4)',
    { wal: walOf(put(10, 0, 5), put(12, 9, 12)), dataBytes: 1000 },
    '10[0,5) 12[9,12) of data',
  ],
  [
    'a WAL entry that is no record',
    { wal: walOf(put(10, 0, 5), [walEntryType.writeRecord, Uint8Array.of(0x18, 1)]), dataBytes: 5 },
    '10[0,5) of data',
  ],
  [
    'an upload that was going on (W20)',
    { descriptor: descriptorOf(record(10, 0, 5), record(11, 5, 9, 0)), dataBytes: 9 },
    '10[0,5) 11[5,9)errored of data',
  ],
  [
    'a data file that is too short (W30)',
    { listed: listedAs(whole), descriptor: whole, dataBytes: 9 },
    '10[0,5) 11[5,9) of data',
  ],
  ['no data file', { listed: listedAs(whole), descriptor: whole }, 'lost'],
  [
    'no data file, but an empty record',
    { descriptor: descriptorOf(record(10, 0, 5), record(11, 5, 5)) },
    '11[5,5) of data',
  ],
  [
    'the removal of the block',
    { descriptor: whole, wal: walOf([walEntryType.removeBlock, new Uint8Array(0)]), dataBytes: 12 },
    'removed',
  ],
  [
    'the removal of all its records',
    { descriptor: whole, wal: walOf(remove(10), remove(11), remove(12)), dataBytes: 12 },
    'removed',
  ],
  [
    'a removal before anything was moved',
    { descriptor: whole, wal: walOf(remove(11)), dataBytes: 12 },
    '10[0,5) 12[9,12) of data',
  ],
  [
    'a removal whose copy is made',
    { descriptor: whole, wal: walOf(remove(11)), dataBytes: 12, swapBytes: 8 },
    '10[0,5) 12[9,12) of data',
  ],
  [
    'a removal between unlink and rename (W6)',
    { descriptor: whole, wal: walOf(remove(11)), swapBytes: 8 },
    `${moved} of swap`,
  ],
  [
    'the same with a copy of another length',
    { descriptor: whole, wal: walOf(remove(11)), swapBytes: 7 },
    'lost',
  ],
  [
    'a removal after the rename (W5)',
    { descriptor: whole, wal: walOf(remove(11)), dataBytes: 8 },
    `${moved} of data`,
  ],
  [
    'a removal in a data file of a length between',
    { descriptor: whole, wal: walOf(remove(11)), dataBytes: 10 },
    'lost',
  ],
  [
    'a removal that is saved, under the WAL that it began with',
    {
      descriptor: descriptorOf(record(10, 0, 5), record(12, 5, 8)),
      wal: walOf(...three.map((one): [WalEntryType, Uint8Array] => [0, one]), remove(11)),
      dataBytes: 8,
    },
    `${moved} of data`,
  ],
  [
    'a removal of an empty record that would change the order: which it is cannot be told',
    {
      descriptor: descriptorOf(record(10, 4, 9), record(11, 9, 9), record(12, 0, 4)),
      wal: walOf(remove(11)),
      dataBytes: 9,
    },
    'lost',
  ],
]

describe('the files of a block', () => {
  it.each(pictures)('%s', (_what, files, expected) => {
    expect(shown(judgeBlock({ ...nothing, ...files }))).toBe(expected)
  })

  it('are left as they are where nothing is to be done', () => {
    const verdict = judgeBlock({ ...nothing, listed: listedAs(whole), descriptor: whole, dataBytes: 12 })
    expect(verdict).toMatchObject({ kind: 'whole', isChanged: false, beyondUs: [] })
    expect(verdict.kind === 'whole' && verdict.descriptor.bytes).toBe(whole)
  })

  it('give their block an id and a count where an old version left them out', () => {
    const old = whole.subarray(whole.indexOf(0x12), whole.lastIndexOf(0x30))
    const verdict = judgeBlock({ ...nothing, descriptor: old, dataBytes: 12 })
    expect(verdict).toMatchObject({ isChanged: true, descriptor: { id: ID, recordCount: 3 } })
  })

  it('mean the same once what was decided is written, while what asked for it is still there', () => {
    for (const [what, files] of pictures) {
      const verdict = judgeBlock({ ...nothing, ...files })
      if (verdict.kind !== 'whole') continue
      const { bytes } = verdict.descriptor
      const data = verdict.dataFrom === 'swap' ? { dataBytes: files.swapBytes, swapBytes: undefined } : {}
      for (const listed of [undefined, { ...listedAs(bytes), crc64: undefined }, listedAs(bytes)]) {
        for (const place of [{}, data]) {
          const again = judgeBlock({ ...nothing, ...files, ...place, listed, descriptor: bytes })
          expect({ what, shown: shown(again).replace(/of \w+$/, '') }).toEqual({
            what,
            shown: shown(verdict).replace(/of \w+$/, ''),
          })
        }
      }
    }
  })

  it('are shown to a reader with the records beyond the end, which fail when they are read', () => {
    const files = { ...nothing, listed: listedAs(whole), descriptor: whole, dataBytes: 9 }
    expect(shown(judgeBlock(files, true))).toBe(all)
    expect(judgeBlock(files, true)).toMatchObject({ beyondUs: [12n] })
  })
})
