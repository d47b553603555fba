import { mkdtemp, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { FileReader } from '../../../src/fs/file-system.ts'
import { NodeReaders } from '../../../src/fs/node/node-readers.ts'

/** Goal: many files read in parts at once, with few of them open, and none left open. */

let root: string
let opened: FileReader[]
let readers: NodeReaders

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-readers-'))
  opened = []
  readers = new NodeReaders()
})
afterEach(async () => {
  for (const reader of opened) await reader.close()
  await rm(root, { recursive: true })
})

function open(name: string): FileReader {
  const reader = readers.open(join(root, name))
  opened.push(reader)
  return reader
}

async function read(reader: FileReader, atBytes: number, lengthBytes: number): Promise<string> {
  const memory = new Uint8Array(lengthBytes)
  return Buffer.from(memory.subarray(0, await reader.read(atBytes, memory))).toString()
}

/** Files below `root` that this process has open. */
async function openCount(): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
  return (await Promise.all(links)).filter((path) => path.startsWith(root)).length
}

describe('a reader of a file', () => {
  it('gives parts, fewer bytes at the end, and none behind it', async () => {
    await writeFile(join(root, 'a'), 'settled')
    const reader = open('a')
    expect(await Promise.all([read(reader, 0, 3), read(reader, 5, 9), read(reader, 9, 4)])).toEqual([
      'set',
      'ed',
      '',
    ])
  })

  it('stays with the file that it has begun to read, also when another one takes its place', async () => {
    await writeFile(join(root, 'a'), 'old')
    await writeFile(join(root, 'b'), 'new')
    const reader = open('a')
    expect(await read(reader, 0, 1)).toBe('o')
    await rename(join(root, 'b'), join(root, 'a'))
    expect(await read(reader, 1, 2)).toBe('ld')
    expect(await read(open('a'), 0, 3)).toBe('new')
  })

  it('says that there is no file, and reads it once there is one', async () => {
    const reader = open('late')
    await expect(read(reader, 0, 1)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await writeFile(join(root, 'late'), 'here')
    expect(await read(reader, 0, 4)).toBe('here')
  })

  it('leaves few files open, however many are read in turn', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `file-${index}`)
    for (const name of names) await writeFile(join(root, name), name)
    const all = names.map((name) => open(name))
    for (let part = 0; part < 2; part++) {
      const texts = await Promise.all(all.map((reader) => read(reader, part * 5, 5)))
      expect(texts).toEqual(names.map((name) => name.slice(part * 5, part * 5 + 5)))
    }
    for (const reader of all.slice(0, 100)) expect(await read(reader, 0, 4)).toBe('file')
    expect(await openCount()).toBeLessThanOrEqual(64)
    for (const reader of opened) await reader.close()
    expect(await openCount()).toBe(0)
  })
})
