/**
 * What is measured is what is shipped: modules come from `dist/`, types from `src/`. The test directory is type-checked
 * without a build, so the paths are not imports.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { projectRoot } from '../../dev/runner/command.mjs'
import type * as crc64 from '../../src/base/crc64.ts'
import type * as firstCollection from '../../src/base/first-collection.ts'
import type * as nodeFileSystem from '../../src/fs/node/node-file-system.ts'
import type * as systemClock from '../../src/fs/system-clock.ts'
import type * as ledgerCodec from '../../src/ledger/ledger-codec.ts'
import type * as offsetLedger from '../../src/ledger/offset-ledger.ts'
import type * as defaultRule from '../../src/mapping/default-rule.ts'
import type * as mapper from '../../src/mapping/mapper.ts'
import type * as storage from '../../src/storage/index.ts'
import type * as recordCodec from '../../src/storage/codec/record-codec.ts'
import type * as walCodec from '../../src/storage/wal/wal-codec.ts'

interface BuiltModules {
  'base/crc64': typeof crc64
  'base/first-collection': typeof firstCollection
  'fs/node/node-file-system': typeof nodeFileSystem
  'fs/system-clock': typeof systemClock
  'ledger/ledger-codec': typeof ledgerCodec
  'ledger/offset-ledger': typeof offsetLedger
  'mapping/default-rule': typeof defaultRule
  'mapping/mapper': typeof mapper
  'storage/index': typeof storage
  'storage/codec/record-codec': typeof recordCodec
  'storage/wal/wal-codec': typeof walCodec
}

export async function built<Name extends keyof BuiltModules>(name: Name): Promise<BuiltModules[Name]> {
  const path = join(projectRoot, 'dist', `${name}.js`)
  if (!existsSync(path)) throw new Error(`${path} is missing: run "npm run build" first`)
  return (await import(pathToFileURL(path).href)) as BuiltModules[Name]
}
