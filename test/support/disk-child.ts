import type { FileRef, WriteOp } from '../../src/fs/file-system.ts'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { writeAll } from '../../src/fs/write-all.ts'

/** A process of its own on the real disk: does what its first argument says below the directory of the second. */
const task = process.argv[2] ?? ''
const root = process.argv[3] ?? ''
const fs = await NodeFileSystem.open({ handlesMax: 10_000 })
const tell = (fact: unknown) => process.stdout.write(`${JSON.stringify(fact)}\n`)
const file = (name: string): FileRef => ({ path: `${root}/${name}`, kind: 'data' })

switch (task) {
  case 'hold-lock': {
    const lock = await fs.lock(`${root}/lock`)
    tell({ locked: lock !== undefined })
    setInterval(() => undefined, 1000)
    break
  }
  case 'write-past-limit': {
    const ops: WriteOp[] = ['a', 'b'].map((name) => ({
      file: file(name),
      atBytes: 0,
      bytes: new Uint8Array(1_000_000),
    }))
    const counts = await fs.writeSome('projection', ops)
    const error: unknown = await writeAll(fs, 'projection', ops).catch((reason: unknown) => reason)
    await fs.close()
    tell({ counts, code: (error as { code?: unknown }).code })
    break
  }
  case 'write-pages-past-limit': {
    const bytes = fs.allocate(1_000_000).fill(7)
    const counts = await fs.writeSome('projection', [{ file: file('a'), atBytes: 0, bytes }])
    const again = await fs.writeSome('projection', [
      { file: file('b'), atBytes: 0, bytes: bytes.subarray(0, 100_000) },
    ])
    await fs.close()
    tell({ counts: [...counts, ...again] })
    break
  }
  case 'open-many': {
    for (let index = 0; index < 300; index++) {
      await writeAll(fs, 'projection', [
        { file: file(`${index}`), atBytes: 0, bytes: Buffer.from(`${index}`) },
      ])
    }
    await fs.close()
    tell({ done: true })
    break
  }
  default:
    throw new Error(`unknown task ${task}`)
}
