import { readFileSync, statSync } from 'node:fs'
import type { Logger } from '../../base/logger.ts'
import { UsageError } from '../usage-error.ts'

/** A file that the configuration names. */
export interface ConfiguredFile {
  readonly key: string
  readonly path: string
}

/**
 * What is made of files that others replace while we run. They are looked at whenever it is asked for, by inode, size
 * and time of change – Kubernetes swaps a link – and never between. New files that are of no use are told of once, and
 * what was made last stays.
 */
export class RotatingFiles<Made> {
  private readonly files: readonly ConfiguredFile[]
  private readonly make: (contents: ReadonlyMap<string, Buffer>) => Made
  private readonly logger: Logger
  private stamps: string
  private made: Made

  /**
   * @param make of the contents by key; throws what is wrong with them, without showing them
   * @throws {UsageError} when a file cannot be read or used
   */
  constructor(
    files: readonly ConfiguredFile[],
    make: (contents: ReadonlyMap<string, Buffer>) => Made,
    logger: Logger,
  ) {
    this.files = files
    this.make = make
    this.logger = logger
    this.stamps = this.look()
    this.made = this.read()
  }

  current(): Made {
    const stamps = this.look()
    if (stamps === this.stamps) return this.made
    this.stamps = stamps
    const files = this.files.map(({ path }) => path)
    try {
      this.made = this.read()
      this.logger.info({ files }, 'new files are in use')
    } catch (error) {
      this.logger.error(
        { files, reason: (error as Error).message },
        'new files are of no use; those from before stay in use',
      )
    }
    return this.made
  }

  private look(): string {
    return this.files
      .map(({ path }) => {
        const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
        return stat === undefined ? 'none' : [stat.ino, stat.size, stat.mtimeNs].join(':')
      })
      .join(' ')
  }

  private read(): Made {
    const contents = new Map(this.files.map(({ key, path }) => [key, readConfigured(key, path)]))
    try {
      return this.make(contents)
    } catch (error) {
      const named = this.files.map(({ key, path }) => `${key} = ${path}`).join(', ')
      throw new UsageError(`${named}: ${(error as Error).message}`)
    }
  }
}

function readConfigured(key: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(`${key} = ${path} cannot be read: ${(error as Error).message}`)
  }
}
