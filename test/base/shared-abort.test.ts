import { expect, it } from '@jest/globals'
import { getMaxListeners } from 'node:events'
import { sharedAbort } from '../../src/base/shared-abort.ts'

it('a shared signal counts nobody who waits for it as a leak', () => {
  expect(getMaxListeners(new AbortController().signal)).toBeLessThan(1_000)
  expect(getMaxListeners(sharedAbort().signal)).toBe(Infinity)
})
