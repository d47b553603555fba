import { expect, it } from '@jest/globals'
import { fileSystemError } from '../../../src/fs/node/system-error.ts'

it.each([
  ['rename', 'EXDEV', 'ERR_OTHER_VOLUME'],
  ['remove', 'EBUSY', 'ERR_OTHER_VOLUME'],
  ['write', 'EBUSY', 'ERR_IO'],
  ['fdatasync', 'EBUSY', 'ERR_IO'],
  ['write', 'ENOSPC', 'ERR_NO_SPACE'],
])('%s that fails with %s is %s', (call, errno, code) => {
  const cause = Object.assign(new Error(errno), { code: errno })
  expect(fileSystemError(call, '/data/a', cause)).toMatchObject({ code, call, path: '/data/a', cause })
})
