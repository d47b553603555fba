import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { FileKind } from '../../src/fs/file-system.ts'
import { requireTool } from '../support/needs.ts'
import { parseTrace, type SystemCall } from '../support/system-calls.ts'

/**
 * Goal: what the kernel is asked for, and in which order, is what durability needs – shown by the system calls of a
 * real process, not by our own bookkeeping.
 */

const writer = fileURLToPath(new URL('./traced-writer.ts', import.meta.url))
const describeWithStrace = requireTool('strace') ? describe : describe.skip

/** What `traced-writer` submits, one group each: six of two records, two of one. */
const recordsOfGroups = [2, 2, 2, 2, 2, 2, 1, 1]

describeWithStrace('the system calls of a writer', () => {
  let root: string
  let calls: SystemCall[]
  let counted: Partial<Record<FileKind, number>>

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'sediment-trace-'))
    const trace = join(root, 'trace')
    const { stdout, stderr, status } = spawnSync(
      'strace',
      [
        ...['-f', '-y', '-s', '0', '-o', trace],
        ...['-e', 'trace=pwrite64,pwritev,fdatasync,fsync,rename,renameat,renameat2,unlink,unlinkat'],
        ...[process.execPath, '--import', 'tsx', writer, join(root, 'data')],
      ],
      {
        env: { ...process.env, TSX_DISABLE_CACHE: '1', NODE_OPTIONS: '' },
        encoding: 'utf8',
        timeout: 50_000,
      },
    )
    if (status !== 0) throw new Error(`the writer ended with ${status}: ${stderr}`)
    counted = JSON.parse(stdout) as typeof counted
    calls = parseTrace(readFileSync(trace, 'utf8')).filter(
      ({ path, result }) => path.startsWith(root) && result >= 0,
    )
  })
  afterAll(() => rmSync(root, { recursive: true }))

  const isWrite = ({ name }: SystemCall): boolean => name === 'pwrite64' || name === 'pwritev'
  const isSync = ({ name }: SystemCall): boolean => name === 'fdatasync' || name === 'fsync'
  const writesTo = (pattern: RegExp | string): SystemCall[] =>
    calls.filter((call) => isWrite(call) && call.result > 0 && matches(call.path, pattern))
  const matches = (path: string, pattern: RegExp | string): boolean =>
    typeof pattern === 'string' ? path === pattern : pattern.test(path)
  const byStart = (list: SystemCall[]): SystemCall[] => [...list].sort((a, b) => a.fromLine - b.fromLine)

  /** The sync of `path` that began after `from` had ended and ended before `to` began. */
  function expectSyncBetween(path: string, from: SystemCall, to: SystemCall): SystemCall {
    const found = calls.find(
      (call) =>
        isSync(call) && call.path === path && call.fromLine > from.toLine && call.toLine < to.fromLine,
    )
    if (found === undefined) {
      throw new Error(`no sync of ${path} between lines ${from.toLine} and ${to.fromLine}`)
    }
    return found
  }

  /** The last call that `matching` accepts and that had ended before `before` began. */
  function expectLast(before: SystemCall, what: string, matching: (call: SystemCall) => boolean): SystemCall {
    const found = calls.findLast((call) => call.toLine < before.fromLine && matching(call))
    if (found === undefined) throw new Error(`no ${what} before line ${before.fromLine}`)
    return found
  }

  const groupFrames = (): SystemCall[] =>
    byStart(
      writesTo(/\.sediment\/log\/\d+\.log$/).filter(({ atBytes, result }) => atBytes >= 512 && result > 512),
    )
  const flips = (): SystemCall[] => byStart(writesTo(/\.wal\/\d+\.wal$/).filter(({ result }) => result === 1))

  it('write one frame for each group', () => {
    expect(groupFrames()).toHaveLength(recordsOfGroups.length)
  })

  it('sync direct content, and the name of a new file, before its frame', () => {
    const direct = byStart(writesTo(/\.blk$/).filter(({ result }) => result >= 4096))
    // One of the two records of each of the first six groups.
    expect(direct).toHaveLength(6)
    for (const [group, content] of direct.entries()) {
      const frame = groupFrames()[group] as SystemCall
      expectSyncBetween(content.path, content, frame)
      if (content.atBytes === 0) expectSyncBetween(dirname(content.path), content, frame)
    }
  })

  it('sync the frame before anything makes its records visible', () => {
    const visible = flips()
    const frames = groupFrames()
    expect(visible).toHaveLength(recordsOfGroups.reduce((sum, count) => sum + count))
    for (const [group, count] of recordsOfGroups.entries()) {
      const frame = frames[group] as SystemCall
      for (const flip of visible.splice(0, count)) {
        const body = expectLast(flip, 'body', (call) => isWrite(call) && call.path === flip.path)
        expect([body.path, body.atBytes]).toEqual([flip.path, flip.atBytes + 1])
        expectSyncBetween(frame.path, frame, body)
      }
    }
  })

  it('write inline content and the index entry before the WAL makes a record visible', () => {
    const [first] = flips()
    const flip = first as SystemCall
    const entry = dirname(dirname(flip.path))
    for (const path of [`${entry}/blocks.idx`, flip.path.replace('/.wal/', '/').replace('.wal', '.blk')]) {
      expectLast(flip, path, (call) => isWrite(call) && call.path === path)
    }
  })

  it('fold in the order content, descriptor, its name, index with CRC, and then the WAL goes', () => {
    const removals = calls.filter(
      ({ name, path }) => name.startsWith('unlink') && /\.wal\/\d+\.wal$/.test(path),
    )
    // Two blocks of each entry, the first of them a second time after its late record.
    expect(removals).toHaveLength(6)
    for (const removal of removals) {
      const entry = dirname(dirname(removal.path))
      const data = removal.path.replace('/.wal/', '/').replace('.wal', '.blk')
      const descriptor = data.replace('.blk', '.meta')

      const index = expectLast(
        removal,
        'index entry',
        (call) => isWrite(call) && call.path === `${entry}/blocks.idx`,
      )
      expectSyncBetween(index.path, index, removal)
      const rename = expectLast(
        index,
        'rename',
        (call) => call.name.startsWith('rename') && call.toPath === descriptor,
      )
      expect(rename.path).toBe(`${descriptor}.tmp`)
      expectSyncBetween(entry, rename, index)
      const written = expectLast(rename, 'descriptor', (call) => isWrite(call) && call.path === rename.path)
      expectSyncBetween(rename.path, written, rename)
      const content = expectLast(written, 'content', (call) => isWrite(call) && call.path === data)
      expectSyncBetween(data, content, written)
    }
  })

  it('rename a checkpoint only when the files it relies on are synced, and drop the log only then', () => {
    const checkpoints = calls.filter(({ toPath }) => toPath.endsWith('/.sediment/checkpoint'))
    expect(checkpoints.length).toBeGreaterThanOrEqual(3)
    for (const rename of checkpoints) {
      const written = expectLast(rename, 'checkpoint', (call) => isWrite(call) && call.path === rename.path)
      expectSyncBetween(rename.path, written, rename)
    }
    const drops = calls.filter(({ name, path }) => name.startsWith('unlink') && /log\/\d+\.log$/.test(path))
    expect(drops.length).toBeGreaterThanOrEqual(2)
    for (const drop of drops) {
      const rename = expectLast(drop, 'checkpoint', ({ toPath }) => toPath.endsWith('/.sediment/checkpoint'))
      expectSyncBetween(dirname(rename.toPath), rename, drop)
    }
  })

  it('sync as often as the file system tells its observer, kind by kind', () => {
    const traced: Partial<Record<FileKind, number>> = {}
    for (const call of calls.filter(isSync)) {
      const kind = call.name === 'fsync' ? 'directory' : kindOf(call.path.slice(join(root, 'data').length))
      traced[kind] = (traced[kind] ?? 0) + 1
    }
    expect(traced).toEqual(counted)
    expect(Object.keys(traced).sort()).toEqual(['data', 'descriptor', 'directory', 'index', 'log', 'wal'])
  })
})

function kindOf(path: string): FileKind {
  const name = path.replace(/\.tmp$/, '')
  if (name.startsWith('/.sediment/') && !name.endsWith('/bucket.settings')) return 'log'
  if (name.endsWith('.blk')) return 'data'
  if (name.endsWith('.wal')) return 'wal'
  if (name.endsWith('/blocks.idx')) return 'index'
  if (/(\.meta|\/bucket\.settings|\/\.folder)$/.test(name)) return 'descriptor'
  throw new Error(`${path} is of no known kind`)
}
