import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { errorToExit } from '../../src/cli/exit-codes.ts'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { Gap } from '../../src/ledger/gap.ts'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import type { Storage } from '../../src/storage/index.ts'
import { sediment } from '../support/cli/run-command.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore } from '../support/storage/store.ts'

/**
 * Goal: something else where the ledger keeps its files ends the process with one line that says what to do, and nothing
 * is lost by it. Method: a store on a real disk, stopped and started around what is in its way.
 */

let root: string
let data: string
let fs: NodeFileSystem

const open = (): Promise<Storage> =>
  openStore(fs, { dataPath: data, clock: realClock, companion: new OffsetLedger() })

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-in-the-way-'))
  data = join(root, 'data')
  fs = await NodeFileSystem.open()
})

afterEach(async () => {
  await fs.close()
  await rm(root, { recursive: true, force: true })
})

const gaps = Array.from({ length: 600 }, (_, index): Gap => ({
  class: 'control',
  fromOffset: 2 * index,
  nextOffset: 2 * index + 1,
}))

const pipe = (path: string): Promise<void> => Promise.resolve(void execFileSync('mkfifo', [path]))
const empty = (path: string): Promise<void> => writeFile(path, '')

it.each([
  ['a file', 'gaps', empty],
  ['a pipe', 'gaps', pipe],
  ['a link that leads nowhere', 'gaps', (path: string) => symlink('nowhere', path)],
  ['a file', 'gaps/cluster-1', empty],
  ['a pipe', 'gaps/cluster-1/orders/0-0-0', pipe],
  ['a directory', 'gaps/cluster-1/orders/0-0-0', (path: string) => mkdir(path).then(() => undefined)],
])(
  '%s in the place of %s ends it with one clear line, and is moved away without loss',
  async (_, name, put) => {
    const path = join(data, '.sediment', name)
    const storage = await open()
    await storage.claim('cluster-1', 'group-1')
    await mkdir(dirname(path), { recursive: true })
    await put(path)
    const step = { topic: 'orders', partition: 0, fromOffset: 0, nextOffset: 1200, records: 600, gaps }
    await storage.submit({ writes: [], delta: encodeDelta('cluster-1', [step]) })
    for (const begin of [() => storage.close(), open]) {
      const { code, message } = errorToExit(
        await begin().then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
      expect({ code, message }).toEqual({ code: 5, message: expect.stringContaining(path) })
      expect(message).toMatch(/move what is there away and start again; acknowledged records are safe$/)
      expect(message).not.toMatch(/\n/)
    }
    await rename(path, join(root, 'moved away'))
    // Another process: this one has the pipe open.
    await fs.close()
    fs = await NodeFileSystem.open()
    await (await open()).close()
    const { out, errors } = await sediment('gaps', 'orders', '--json', '--data', data)
    expect(JSON.parse(out)).toMatchObject({ nextOffset: 1200, gaps })
    expect(errors).toEqual([])
  },
)
