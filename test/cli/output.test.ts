import { describe, expect, it } from '@jest/globals'
import { PassThrough, Writable } from 'node:stream'
import { errorToExit } from '../../src/cli/exit-codes.ts'
import { Output, OutputClosed } from '../../src/cli/output.ts'
import { ProgressLine } from '../../src/cli/progress-line.ts'

function failingWith(code: string): Writable {
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })),
  })
  return stream
}

describe('Output', () => {
  it('waits for a slow reader', async () => {
    let finish: (() => void) | undefined
    const stream = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => (finish = done) })
    let isWritten = false
    const written = new Output(stream).line('text').then(() => (isWritten = true))
    await Promise.resolve()
    expect(isWritten).toBe(false)
    finish?.()
    await written
  })

  it('tells a reader that has gone from a failure', async () => {
    await expect(new Output(failingWith('EPIPE')).line('text')).rejects.toBeInstanceOf(OutputClosed)
    const failed: unknown = await new Output(failingWith('ENOSPC'))
      .line('text')
      .catch((error: unknown) => error)
    expect(errorToExit(failed)).toEqual({
      code: 7,
      message: 'standard output cannot be written: ENOSPC; what was written before is not complete',
    })
  })
})

describe('ProgressLine', () => {
  it('writes nothing where there is no terminal', () => {
    const stream = new PassThrough()
    const line = new ProgressLine(stream)
    line.show('50 %')
    line.clear()
    expect(stream.read()).toBeNull()
  })

  it('replaces itself on a terminal and never wraps', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 30 })
    const line = new ProgressLine(stream)
    line.show('x'.repeat(50))
    line.clear()
    line.clear()
    expect(String(stream.read())).toBe(`\r\u001b[2K${'x'.repeat(28)}…\r\u001b[2K`)
  })
})
