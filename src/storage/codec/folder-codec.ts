import './protobuf-runtime.ts'
import { StorageError } from '../errors.ts'
import { sediment } from './generated/storage.js'

const message = sediment.storage.FolderMap

/** `.folder`: the names below a data directory or bucket; name and directory are the same. */
export function encodeFolder(names: Iterable<string>): Uint8Array {
  return message.encode({ items: Array.from(names, (name) => ({ name, folderName: name })) }).finish()
}

/** Whether the file lists exactly these names, each as its own directory, in whatever order. */
export function isFolderOf(bytes: Uint8Array, names: readonly string[]): boolean {
  try {
    const items = message.decode(bytes).items ?? []
    const listed = new Set(
      items.filter(({ name, folderName }) => name === folderName).map(({ name }) => name),
    )
    return items.length === names.length && names.every((name) => listed.has(name))
  } catch {
    return false
  }
}

/** Directory names, in stored order. @throws {StorageError} `ERR_CORRUPT` */
export function decodeFolder(bytes: Uint8Array): string[] {
  try {
    return (message.decode(bytes).items ?? []).map((item) => item.folderName ?? '')
  } catch (cause) {
    throw new StorageError('ERR_CORRUPT', 'folder map does not decode', {}, cause)
  }
}
