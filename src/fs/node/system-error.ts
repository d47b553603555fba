import { FileSystemError, type FileSystemErrorCode } from '../file-system.ts'

const codes: Readonly<Record<string, FileSystemErrorCode>> = {
  ENOENT: 'ERR_NOT_FOUND',
  ENOTDIR: 'ERR_NOT_FOUND',
  ENOSPC: 'ERR_NO_SPACE',
  EDQUOT: 'ERR_NO_SPACE',
  EFBIG: 'ERR_NO_SPACE',
  EROFS: 'ERR_READ_ONLY',
  EACCES: 'ERR_READ_ONLY',
  EPERM: 'ERR_READ_ONLY',
  EISDIR: 'ERR_WRONG_KIND',
  ESPIPE: 'ERR_WRONG_KIND',
  EMFILE: 'ERR_TOO_MANY_FILES',
  ENFILE: 'ERR_TOO_MANY_FILES',
}

/** Of calls that move or remove a name; of any other these are failures of the disk. */
const namingCodes: Readonly<Record<string, FileSystemErrorCode>> = {
  EXDEV: 'ERR_OTHER_VOLUME',
  EBUSY: 'ERR_OTHER_VOLUME',
}
const namingCalls: ReadonlySet<string> = new Set(['rename', 'remove'])

/** `EIO`, `ENOENT`, …; undefined for an error that is not the operating system's. */
export function errnoOf(error: unknown): string | undefined {
  // Not `instanceof Error`: errors of Node's own modules come from another realm under some runners.
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

export function fileSystemError(call: string, path: string, cause: unknown): FileSystemError {
  if (cause instanceof FileSystemError) return cause
  const errno = errnoOf(cause) ?? ''
  const naming = namingCalls.has(call) ? namingCodes[errno] : undefined
  return new FileSystemError(naming ?? codes[errno] ?? 'ERR_IO', call, path, cause)
}

export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOENT' || errno === 'ENOTDIR'
}
