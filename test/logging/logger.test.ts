// Goal: what a line holds, and that nothing a room may hand over breaks logging.
import { describe, expect, it } from '@jest/globals'
import { createLogger, type LoggerOptions } from '../../src/logging/logger.ts'

function recorder(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const logger = createLogger({
    level: 'info',
    format: 'json',
    write: (line) => lines.push(line),
    ...options,
  })
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

describe('a JSON line', () => {
  it('holds level, time, room, facts and message, and ends', () => {
    const { logger, lines, parsed } = recorder()

    logger.child('storage').warn({ entry: 'orders/0', bytes: 12 }, 'block is late')

    expect(parsed()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
        room: 'storage',
        entry: 'orders/0',
        bytes: 12,
        message: 'block is late',
      },
    ])
    expect(lines[0]?.endsWith('}\n')).toBe(true)
  })

  it('is written only from the level on', () => {
    const levels = ['error', 'warn', 'info', 'debug'] as const
    const written = levels.map((level) => {
      const { logger, parsed } = recorder({ level })
      for (const one of levels) logger.child('x')[one]({}, one)
      return parsed().map((line) => line['message'])
    })

    expect(written).toEqual([['error'], ['error', 'warn'], ['error', 'warn', 'info'], [...levels]])
  })

  it('holds an error with code, message, stack and causes', () => {
    const { logger, parsed } = recorder()
    const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' })

    logger.error(
      { error: Object.assign(new Error('write failed', { cause }), { code: 'ERR_IO' }) },
      'stopped',
    )

    expect(parsed()[0]?.['error']).toMatchObject({
      code: 'ERR_IO',
      message: 'write failed',
      stack: expect.stringContaining('logger.test'),
      cause: { code: 'ENOSPC', message: 'no space' },
    })
  })

  it('takes what JSON cannot hold', () => {
    const { logger, lines } = recorder()
    const loop: Record<string, unknown> = { timestampUs: 2n ** 60n }
    loop['self'] = loop

    logger.info({ loop, timestampUs: 2n ** 60n, text: 'two\nlines' }, 'odd')

    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('1152921504606846976')
    expect(lines[0]?.trimEnd()).not.toContain('\n')
  })
})

describe('a text line', () => {
  it('is one line with time, level, room, message and facts', () => {
    const { logger, lines } = recorder({ format: 'text' })

    logger.child('sink').info({ records: 3, reason: 'disk is full', topics: ['a'] }, 'paused')
    logger.error({ error: Object.assign(new Error('two\nlines'), { code: 'ERR_IO' }) }, 'stopped')

    expect(lines.map((line) => line.replace(/^[\d:.]{12}/, 'TIME'))).toEqual([
      'TIME info  sink  paused  records=3 reason="disk is full" topics=["a"]\n',
      'TIME error  stopped  error="ERR_IO two\\nlines"\n',
    ])
  })
})
