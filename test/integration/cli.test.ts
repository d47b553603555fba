import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { Storage, type RecordWrite } from '../../src/storage/index.ts'
import { realClock } from '../support/real-clock.ts'

/** These run the built program: `npm run build` first. */
const PROGRAM = new URL('../../bin/sediment.cjs', import.meta.url).pathname
const NOBODY = '127.0.0.1:1'

jest.setTimeout(60_000)

interface Ran {
  code: number | null
  out: string
  errors: string[]
}

/** Runs to the end; `readBytes` closes standard output after so many. */
function sediment(args: readonly string[], { readBytes = Infinity } = {}): Promise<Ran> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SEDIMENT_')),
  )
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    if (out.length >= readBytes) child.stdout.destroy()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  return new Promise((resolve) =>
    child.once('close', (code) => {
      const errors = said.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
      resolve({ code, out, errors })
    }),
  )
}

async function treeOf(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).sort()
}

function write(entry: string, timestampUs: number, text: string): RecordWrite {
  return {
    target: { bucket: 'kafka', entry },
    timestampUs,
    labels: ['number', String(timestampUs), 'parity', timestampUs % 2 === 0 ? 'even' : 'odd'],
    contentType: 'text/plain',
    content: Buffer.from(text),
  }
}

describe('the command line', () => {
  let folder: string
  let data: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-cli-'))
    data = join(folder, 'data')
    const fs = await NodeFileSystem.open()
    const storage = await Storage.open({
      dataPath: data,
      fs,
      clock: realClock,
      randomUuid: () => crypto.randomUUID(),
    })
    const times = Array.from({ length: 2000 }, (_, index) => 1_000_000 + index)
    await storage.submit({ writes: times.map((us) => write(`a/${us % 2}`, us, `content of ${us}`)) })
    await storage.submit({ writes: [write('b', 5_000_000, 'other')] })
    await storage.close()
    await fs.close()
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const run = (...more: string[]): string[] => [
    'run',
    ...['--set', `kafka.brokers=${NOBODY}`, '--set', 'kafka.topics=a', '--set', 'http.port=0'],
    ...['--set', 'kafka.startTimeoutMs=1s', '--data', data],
    ...more,
  ]

  describe('bad input ends with its exit code, one line that says what to do, and nothing written', () => {
    it('an unreachable broker', async () => {
      const nowhere = join(folder, 'nowhere')
      const { code, errors } = await sediment(run('--data', nowhere))
      expect(errors).toEqual([expect.stringMatching(/^sediment: .*127\.0\.0\.1:1.*check kafka\.brokers/)])
      expect(code).toBe(3)
      expect(await treeOf(folder)).not.toContain('nowhere')
    })

    it('an unknown option', async () => {
      const { code, errors } = await sediment(run('--frob'))
      expect(errors).toEqual(["sediment: unknown option '--frob'; see: sediment --help"])
      expect(code).toBe(2)
    })

    it('a directory that another process has', async () => {
      const fs = await NodeFileSystem.open()
      const storage = await Storage.open({
        dataPath: data,
        fs,
        clock: realClock,
        randomUuid: () => crypto.randomUUID(),
      })
      try {
        const before = await treeOf(data)
        const { code, errors } = await sediment(['settle', '--data', data])
        expect(errors).toEqual([expect.stringContaining('is in use by')])
        expect(code).toBe(5)
        expect(await treeOf(data)).toEqual(before)
        expect((await sediment(['ls', '--data', data])).code).toBe(0)
      } finally {
        await storage.close()
        await fs.close()
      }
    })

    it('a directory of a newer format', async () => {
      const path = join(data, '.sediment', 'format')
      const before = await readFile(path, 'utf8')
      const newer = JSON.stringify({ ...(JSON.parse(before) as object), version: 99 })
      await writeFile(path, newer)
      try {
        const { code, errors } = await sediment(['settle', '--data', data])
        expect(errors).toEqual([expect.stringMatching(/version 99.*use the release that wrote it/)])
        expect(code).toBe(5)
        expect(await readFile(path, 'utf8')).toBe(newer)
      } finally {
        await writeFile(path, before)
      }
    })
  })

  it('ls lists entries as a table and as JSON', async () => {
    const { out } = await sediment(['ls', '--data', data])
    expect(out.split('\n').map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
      ['ENTRY', 'RECORDS'],
      ['kafka/a/0', '1,000'],
      ['kafka/a/1', '1,000'],
      ['kafka/b', '1'],
      [''],
    ])
    const json = await sediment(['ls', 'kafka/b', '--json', '--data', data])
    expect(JSON.parse(json.out)).toMatchObject({
      bucket: 'kafka',
      entry: 'b',
      recordCount: 1,
      latestUs: 5_000_000,
    })
  })

  it('query gives records of all entries by time, within range, label and limit', async () => {
    const args = ['query', 'kafka/a', '--start', '1000010', '--stop', '1001000', '--json', '--data', data]
    const { out } = await sediment(args)
    const times = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { timestampUs: number }).timestampUs)
    expect(times).toEqual(Array.from({ length: 990 }, (_, index) => 1_000_010 + index))
    const odd = await sediment([...args, '--label', 'parity=odd', '--limit', '2', '--payload'])
    const payloads = odd.out.trim().split('\n')
    expect(payloads.map((line) => JSON.parse(line) as object)).toMatchObject([
      { timestampUs: 1_000_011, payload: Buffer.from('content of 1000011').toString('base64') },
      { timestampUs: 1_000_013 },
    ])
  })

  it('cat gives the content and nothing else', async () => {
    const { out, code } = await sediment(['cat', 'kafka/b', '5000000', '--data', data])
    expect({ out, code }).toEqual({ out: 'other', code: 0 })
    const none = await sediment(['cat', 'kafka/b', '5000001', '--data', data])
    expect(none.code).toBe(2)
    expect(none.errors).toEqual([expect.stringContaining('no record in kafka/b at 5000001')])
  })

  it('a reader that leaves early ends a query quietly', async () => {
    const args = ['query', '*', '--json', '--payload', '--data', data]
    const whole = await sediment(args)
    const { code, out, errors } = await sediment(args, { readBytes: 100 })
    expect({ code, errors }).toEqual({ code: 0, errors: [] })
    expect(out.length).toBeLessThanOrEqual(whole.out.length)
  })

  it('verify finds a clean directory clean and a flipped byte damaged', async () => {
    const clean = await sediment(['verify', '--json', '--data', data])
    expect(clean.code).toBe(0)
    expect(JSON.parse(clean.out)).toMatchObject({ findings: [], records: 2001, contentChecked: 2001 })
    const block = (await readdir(join(data, 'kafka', 'b'))).find((name) => name.endsWith('.blk')) as string
    const path = join(data, 'kafka', 'b', block)
    const bytes = await readFile(path)
    await writeFile(path, Buffer.from('otter'))
    try {
      const { code, out } = await sediment(['verify', '--data', data])
      expect(code).toBe(6)
      expect(out).toContain('damaged: ')
      const read = await sediment(['cat', 'kafka/b', '5000000', '--data', data])
      expect(read).toMatchObject({ code: 6, out: '' })
      expect((await sediment(['verify', '--no-content', '--data', data])).code).toBe(0)
    } finally {
      await writeFile(path, bytes)
    }
  })

  it('settle leaves a directory that verify finds clean', async () => {
    expect((await sediment(['settle', '--data', data])).code).toBe(0)
    expect((await sediment(['verify', '--data', data])).code).toBe(0)
  })

  it('a stop while it still looks for a broker ends the process at once with 0', async () => {
    const child = spawn(process.execPath, [PROGRAM, ...run('--set', 'kafka.startTimeoutMs=50s')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    await new Promise<void>((resolve) =>
      child.stderr.setEncoding('utf8').on('data', (said: string) => {
        if (said.includes('opening')) resolve()
      }),
    )
    const startedMs = performance.now()
    child.kill('SIGTERM')
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })
})
