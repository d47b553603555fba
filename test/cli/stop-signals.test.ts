import { describe, expect, it } from '@jest/globals'
import { EventEmitter } from 'node:events'
import { onStopSignals } from '../../src/cli/stop-signals.ts'

function listen() {
  const source = new EventEmitter()
  const time = { nowMs: 0 }
  const said: unknown[] = []
  onStopSignals(source, {
    stop: (signal) => said.push(`stop ${signal}`),
    note: (line) => said.push(line),
    exit: (code) => said.push(code),
    nowMs: () => time.nowMs,
  })
  return { source, said, time }
}

describe('a signal to stop', () => {
  it.each(['SIGTERM', 'SIGINT'])('%s begins a stop, and leaves the exit code to it', (signal) => {
    const { source, said } = listen()
    source.emit(signal)
    expect(said).toEqual([`stop ${signal}`])
  })

  it.each([
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGINT', 130],
    ['SIGINT', 'SIGTERM', 143],
  ])(
    '%s and then %s ends the process at once with %i, and says what becomes of the rest',
    (first, second, code) => {
      const { source, said, time } = listen()
      source.emit(first)
      time.nowMs += 1000
      source.emit(second)
      expect(said).toEqual([`stop ${first}`, expect.stringMatching(/read again.*nothing is lost/), code])
    },
  )

  it('is taken for one when it comes twice at once, from the terminal and through npm', () => {
    const { source, said, time } = listen()
    source.emit('SIGINT')
    time.nowMs += 20
    source.emit('SIGINT')
    expect(said).toEqual(['stop SIGINT'])
  })

  it('ends the process although another one was passed over', () => {
    const { source, said, time } = listen()
    source.emit('SIGINT')
    source.emit('SIGINT')
    time.nowMs += 1000
    source.emit('SIGINT')
    expect(said).toEqual(['stop SIGINT', expect.any(String), 130])
  })
})
