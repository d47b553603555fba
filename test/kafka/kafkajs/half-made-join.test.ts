import { describe, expect, it } from '@jest/globals'
import { HalfMadeJoin } from '../../../src/kafka/kafkajs/half-made-join.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'

type Answer = { readonly gives: string } | { readonly fails: string }

/** A group that answers each try in turn; `joined` holds the ids it was joined with. */
class Group {
  memberId: string | null = null
  readonly logger = new RecordingLogger()
  readonly joined: (string | null)[] = []
  private readonly halfMade = new HalfMadeJoin(this.logger)

  /** `gives`: JoinGroup and SyncGroup are answered. `fails`: one of them is not, after JoinGroup gave `before`, if so. */
  join(...answers: (Answer & { readonly before?: string })[]): Promise<void> {
    return this.halfMade.complete(this, () => {
      this.joined.push(this.memberId)
      const answer = answers.shift() ?? { fails: 'MORE_TRIES_THAN_ANSWERS' }
      if ('gives' in answer) this.memberId = answer.gives
      else {
        if (answer.before !== undefined) this.memberId = answer.before
        return Promise.reject(Object.assign(new Error(answer.fails), { type: answer.fails }))
      }
      return Promise.resolve()
    })
  }
}

const FENCED = 'FENCED_INSTANCE_ID'

describe('a static member that is fenced', () => {
  it('joins as new under an id that never had an assignment', async () => {
    const group = new Group()
    await expect(group.join({ fails: 'NOT_COORDINATOR_FOR_GROUP', before: 'half' })).rejects.toThrow()
    await group.join({ fails: FENCED }, { gives: 'whole' })
    expect(group.joined).toEqual([null, 'half', null])
    expect(group.memberId).toBe('whole')
    expect(group.logger.lines.map(({ level }) => level)).toEqual(['warn'])
  })

  it('joins as new when SyncGroup tells it', async () => {
    const group = new Group()
    await group.join({ fails: FENCED, before: 'half' }, { gives: 'whole' })
    expect(group.joined).toEqual([null, null])
  })

  it('ends under an id that had an assignment: another process has taken its place', async () => {
    const group = new Group()
    await group.join({ gives: 'whole' })
    await expect(group.join({ fails: FENCED }, { gives: 'other' })).rejects.toThrow(FENCED)
    expect(group.memberId).toBe('whole')
  })

  it('ends while it waits for its first id: another process has come meanwhile', async () => {
    const group = new Group()
    await expect(group.join({ fails: FENCED }, { gives: 'whole' })).rejects.toThrow(FENCED)
    expect(group.joined).toEqual([null])
  })

  it('ends when this happens again and again, and may begin anew after an assignment', async () => {
    const group = new Group()
    const fenced = (before: string) => ({ fails: FENCED, before })
    await group.join(fenced('a'), fenced('b'), fenced('c'), { gives: 'd' })
    await expect(group.join({ fails: 'UNKNOWN_MEMBER_ID', before: 'e' })).rejects.toThrow('UNKNOWN_MEMBER_ID')
    await expect(
      group.join(fenced('e'), fenced('f'), fenced('g'), fenced('h'), { gives: 'i' }),
    ).rejects.toThrow(FENCED)
    expect(group.joined).toHaveLength(9)
  })
})

it('whatever else a join fails with is told at once, and the id is kept', async () => {
  const group = new Group()
  await expect(group.join({ fails: 'GROUP_AUTHORIZATION_FAILED', before: 'half' })).rejects.toThrow(
    'GROUP_AUTHORIZATION_FAILED',
  )
  expect(group.memberId).toBe('half')
  expect(group.logger.lines).toEqual([])
})
