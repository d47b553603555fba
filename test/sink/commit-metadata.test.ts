import { describe, expect, it } from '@jest/globals'
import { encodeCommitMetadata, parseCommitMetadata } from '../../src/sink/commit-metadata.ts'

const metadata = { clusterId: 'c', groupId: 'g', storeId: 's', epoch: 7 }

describe('commit metadata', () => {
  it('comes back as it was', () => {
    expect(parseCommitMetadata(encodeCommitMetadata(metadata))).toEqual(metadata)
  })

  it('says of what the offset is, where that is known', () => {
    const whole = { ...metadata, incarnation: 2, topicId: 'T', leaderEpoch: 4 }
    expect(parseCommitMetadata(encodeCommitMetadata(whole))).toEqual(whole)
    expect(parseCommitMetadata(JSON.stringify({ ...whole, incarnation: -1, leaderEpoch: 'x' }))).toEqual({
      ...metadata,
      topicId: 'T',
    })
  })

  it('may have keys of a newer release', () => {
    expect(parseCommitMetadata(JSON.stringify({ ...metadata, later: 4 }))).toEqual(metadata)
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
