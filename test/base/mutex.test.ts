import { describe, expect, it } from '@jest/globals'
import { Mutex } from '../../src/base/mutex.ts'

describe('Mutex', () => {
  it('runs sections one after another, in order of their calls', async () => {
    const mutex = new Mutex()
    const events: string[] = []
    const section = (name: string) => async (): Promise<string> => {
      events.push(`${name} begins`)
      await Promise.resolve()
      events.push(`${name} ends`)
      return name
    }
    const results = await Promise.all(['a', 'b'].map((name) => mutex.runExclusive(section(name))))
    expect(results).toEqual(['a', 'b'])
    expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  it('tells a failure to its own caller only', async () => {
    const mutex = new Mutex()
    const failed = mutex.runExclusive(() => Promise.reject(new Error('mine')))
    const after = mutex.runExclusive(() => 'fine')
    await expect(failed).rejects.toThrow('mine')
    await expect(after).resolves.toBe('fine')
  })
})
