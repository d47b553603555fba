import { describe, expect, it } from '@jest/globals'
import {
  asksToRejoin,
  endsMembership,
  isConnectionTrouble,
  refusalOf,
  rejoinError,
} from '../../../src/kafka/kafkajs/group-errors.ts'
import { SourceError } from '../../../src/kafka/source.ts'

const answered = (type: string): Error => Object.assign(new Error(type), { type })
const named = (name: string): Error => Object.assign(new Error(name), { name })

describe('what a broker answers', () => {
  it.each([
    ['ILLEGAL_GENERATION', true, true],
    ['REBALANCE_IN_PROGRESS', true, true],
    ['NOT_COORDINATOR_FOR_GROUP', false, true],
    ['COORDINATOR_LOAD_IN_PROGRESS', false, false],
  ])('%s ends the membership: %s, asks to rejoin: %s', (type, isOver, isRejoin) => {
    expect([endsMembership(answered(type)), asksToRejoin(answered(type))]).toEqual([isOver, isRejoin])
  })

  it('is told from not being reached', () => {
    expect(isConnectionTrouble(named('KafkaJSConnectionError'))).toBe(true)
    expect(isConnectionTrouble(answered('ILLEGAL_GENERATION'))).toBe(false)
  })

  it('is a refusal where trying again is no use, also as a cause further down', () => {
    const denied = answered('GROUP_AUTHORIZATION_FAILED')
    expect(refusalOf(new Error('outer', { cause: denied }))).toMatchObject({ code: 'ERR_REFUSED' })
    expect(refusalOf(named('KafkaJSSASLAuthenticationError'))).toMatchObject({ code: 'ERR_REFUSED' })
    expect(refusalOf(answered('REBALANCE_IN_PROGRESS'))).toBeUndefined()
    expect(refusalOf(new SourceError('ERR_DEAD', 'over'))).toBeUndefined()
  })

  it('is imitated when new topics make the group be joined anew', () => {
    expect(asksToRejoin(rejoinError())).toBe(true)
  })
})
