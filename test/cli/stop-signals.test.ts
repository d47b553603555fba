import { describe, expect, it } from '@jest/globals'
import { EventEmitter } from 'node:events'
import { onStopSignals } from '../../src/cli/stop-signals.ts'

function listen() {
  const source = new EventEmitter()
  const said: unknown[] = []
  onStopSignals(source, {
    stop: (signal) => said.push(`stop ${signal}`),
    note: (line) => said.push(line),
    exit: (code) => said.push(code),
  })
  return { source, said }
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
      const { source, said } = listen()
      source.emit(first)
      source.emit(second)
      expect(said).toEqual([`stop ${first}`, expect.stringMatching(/read again.*nothing is lost/), code])
    },
  )
})
