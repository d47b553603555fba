import { describe, expect, it } from '@jest/globals'
import { CommanderError } from 'commander'
import { AppError } from '../../src/app/app-error.ts'
import { errorToExit } from '../../src/cli/exit-codes.ts'
import { OutputClosed } from '../../src/cli/output.ts'
import { UsageError } from '../../src/cli/usage-error.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { FileSystemError } from '../../src/fs/file-system.ts'
import { HttpError } from '../../src/http/server.ts'
import { SourceError } from '../../src/kafka/source.ts'
import { LedgerError } from '../../src/ledger/ledger-error.ts'
import { SinkError } from '../../src/sink/sink-error.ts'
import { StorageError } from '../../src/storage/index.ts'

const problem = { key: 'a.b', value: '1', allowed: 'must be 2', source: 'file x' }

describe('errorToExit', () => {
  it.each([
    [0, new OutputClosed('gone')],
    [0, new CommanderError(0, 'commander.helpDisplayed', 'help')],
    [1, new Error('bug')],
    [1, 'a thrown text'],
    [2, new CommanderError(1, 'commander.unknownOption', 'no')],
    [2, new UsageError('no such entry')],
    [2, new ConfigError([problem])],
    [2, new AppError('ERR_ENTRY_CONFLICT', 'a and b')],
    [2, new HttpError('ERR_ADDRESS', 'taken')],
    [2, new StorageError('ERR_NOT_A_STORE', 'missing')],
    [3, new SourceError('ERR_BROKER', 'away')],
    [3, new SourceError('ERR_REFUSED', 'refused')],
    [4, new SourceError('ERR_TOPIC', 'missing')],
    [5, new StorageError('ERR_LOCKED', 'held by 17')],
    [5, new StorageError('ERR_READ_ONLY', 'read-only')],
    [5, new StorageError('ERR_NO_SPACE', 'full')],
    [5, new StorageError('ERR_FORMAT', 'newer')],
    [5, new FileSystemError('ERR_NO_SPACE', 'write', '/x')],
    [5, new StorageError('ERR_POISONED', 'failed', {}, new FileSystemError('ERR_NO_SPACE', 'write', '/x'))],
    [7, new StorageError('ERR_POISONED', 'failed', {}, new FileSystemError('ERR_IO', 'write', '/x'))],
    [5, new FileSystemError('ERR_WRONG_KIND', 'mkdir', '/x')],
    [5, new StorageError('ERR_POISONED', 'failed', {}, new FileSystemError('ERR_WRONG_KIND', 'mkdir', '/x'))],
    [5, new FileSystemError('ERR_UNSUPPORTED', 'lock', '/x')],
    [5, new LedgerError('ERR_LEDGER_FORMAT', 'newer')],
    [6, new StorageError('ERR_CORRUPT', 'flipped')],
    [6, new SinkError('ERR_INTEGRITY', 'differs')],
    [6, new LedgerError('ERR_LEDGER_CONTIGUITY', 'hole')],
    [7, new StorageError('ERR_POISONED', 'sync failed')],
    [7, new FileSystemError('ERR_IO', 'fsync', '/x')],
    [8, new SourceError('ERR_DEAD', 'over')],
    [8, new SinkError('ERR_STUCK', 'a/0')],
    [8, new SinkError('ERR_HELD', 'a/0')],
  ])('ends with %d for %s', (code, error) => {
    expect(errorToExit(error).code).toBe(code)
  })

  it('says one line with what happened and, unless that says it, what to do', () => {
    const ending = (error: Error) => errorToExit(error).message
    expect(ending(new SourceError('ERR_TOPIC', 'topics that do not exist:\n a.'))).toBe(
      'topics that do not exist: a; create the topic or correct kafka.topics',
    )
    expect(ending(new StorageError('ERR_LOCKED', '/d is in use by 17: stop it'))).toBe(
      '/d is in use by 17: stop it',
    )
  })

  it('says the first of several configuration problems, and where the others are', () => {
    expect(errorToExit(new ConfigError([problem])).message).toBe('a.b = 1 (file x): must be 2')
    expect(errorToExit(new ConfigError([problem, problem])).message).toMatch(
      /must be 2 \(and 1 more; .*config check\)$/,
    )
  })
})
