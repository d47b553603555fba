import { describe, expect, it } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sediment } from '../support/cli/run-command.ts'

const NOWHERE = '/nonexistent/sediment'

describe('bad input ends with exit code 2 and one line that says what to do', () => {
  it.each<[string, string[], RegExp]>([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'; see: sediment --help/],
    ['an unknown option', ['ls', '--frob'], /unknown option '--frob'/],
    ['a missing argument', ['query'], /missing required argument 'entry'/],
    [
      'an unknown key',
      ['run', '--set', 'kafka.topicz=a', '--set', 'kafka.topics=a'],
      /did you mean kafka\.topics/,
    ],
    ['an unreadable file', ['run', '--config', `${NOWHERE}.yaml`], /\.yaml: cannot be read/],
    ['no topics', ['run'], /kafka\.topics .*must be given/],
    ['topics that share entries', ['config', 'check', '--set', 'kafka.topics=a.b,a_b'], /would share/],
    ['a time that is none', ['query', 'kafka', '--start', 'soon'], /not a time: "soon"/],
    [
      'a range that is empty',
      ['query', 'kafka', '--start', '5', '--stop', '5'],
      /--start .* is not before --stop/,
    ],
    ['a limit that is none', ['query', 'kafka', '--limit', '-1'], /not a limit/],
    ['a label that is none', ['query', 'kafka', '--label', 'x'], /--label name=value/],
    ['an entry without a bucket', ['cat', 'kafka', '5'], /write bucket\/entry/],
    ['a key that only a file may misspell', ['ls', '--set', 'dataPat=x'], /did you mean dataPath/],
  ])('%s', async (_, args, message) => {
    const { code, errors } = await sediment(...args)
    expect(errors).toEqual([expect.stringMatching(message)])
    expect(errors[0]).toMatch(/^sediment: /)
    expect(code).toBe(2)
  })
})

describe('sediment config', () => {
  it('check says all that is wrong', async () => {
    const set = ['--set', 'log.level=loud', '--set', 'http.port=x', '--set', 'kafka.topics=a']
    const { code, errors } = await sediment('config', 'check', ...set)
    expect(code).toBe(2)
    expect(errors).toEqual([expect.stringContaining('log.level'), expect.stringContaining('http.port')])
    expect(await sediment('config', 'check', '--set', 'kafka.topics=a')).toMatchObject({
      code: 0,
      errors: [],
    })
  })

  it('show masks secrets and names where each value comes from', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sediment-show-'))
    const file = join(folder, 'secret.yaml')
    await writeFile(file, 'kafka: { sasl: { password: hunter2 } }')
    const { out, code } = await sediment(
      ...['config', 'show', '--json', '--set', 'kafka.topics=a', '--set', 'kafka.sasl.mechanism=plain'],
      ...['--set', 'kafka.sasl.username=u', '--config', file, '--data', '/d'],
    )
    await rm(folder, { recursive: true })
    expect(code).toBe(0)
    expect(out).not.toContain('hunter2')
    expect(JSON.parse(out)).toMatchObject({
      dataPath: { value: '/d', source: 'flag --set dataPath' },
      'kafka.topics': { value: 'a', source: 'flag --set kafka.topics' },
    })
  })
})

describe('help', () => {
  it.each([
    ['run'],
    ['ls'],
    ['cat'],
    ['query'],
    ['verify'],
    ['settle'],
    ['config', 'check'],
    ['config', 'show'],
  ])('%s %s is named, has the common options and an example', async (...command) => {
    expect((await sediment('--help')).out).toContain(command[0])
    const { out, code } = await sediment(...command, '--help')
    expect(code).toBe(0)
    expect(out).toMatch(/--config <file>[^]*--set <key=value>[^]*--data <path>/)
    expect(out).toMatch(/Examples?:\n\s+sediment /)
  })

  it('tells the version', async () => {
    expect(await sediment('--version')).toMatchObject({ code: 0, out: '1.2.3\n' })
  })
})
