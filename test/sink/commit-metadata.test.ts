import { describe, expect, it } from '@jest/globals'
import { encodeCommitMetadata, parseCommitMetadata } from '../../src/sink/commit-metadata.ts'

const metadata = { clusterId: 'c', groupId: 'g', storeId: 's', epoch: 7 }

describe('commit metadata', () => {
  it('comes back as it was', () => {
    expect(parseCommitMetadata(encodeCommitMetadata(metadata))).toEqual(metadata)
  })

  it('may have keys of a newer release', () => {
    expect(parseCommitMetadata(JSON.stringify({ ...metadata, leaderEpoch: 4 }))).toEqual(metadata)
  })

  it.each([
    '',
    'text',
    '{',
    'null',
    '7',
    '[]',
    '{}',
    '{"clusterId":"c","groupId":"g","storeId":"","epoch":7}',
  ])('is not found in %j', (text) => {
    expect(parseCommitMetadata(text)).toBeUndefined()
  })
})
