import './protobuf-runtime.ts'
import { StorageError } from '../errors.ts'
import { sediment } from './generated/storage.js'

const message = sediment.storage.FolderMap

/** `.folder`: the names below a data directory or bucket; name and directory are the same. */
export function encodeFolder(names: Iterable<string>): Uint8Array {
  return message.encode({ items: Array.from(names, (name) => ({ name, folderName: name })) }).finish()
}

/** Directory names, in stored order. @throws {StorageError} `ERR_CORRUPT` */
export function decodeFolder(bytes: Uint8Array): string[] {
  try {
    return (message.decode(bytes).items ?? []).map((item) => item.folderName ?? '')
  } catch (cause) {
    throw new StorageError('ERR_CORRUPT', 'folder map does not decode', {}, cause)
  }
}
