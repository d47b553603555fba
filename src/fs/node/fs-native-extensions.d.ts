declare module 'fs-native-extensions' {
  /**
   * Takes an OFD lock (`F_OFD_SETLK`) on a range of an open file; `length` 0 means to the end. It belongs to the
   * open file description: closing `fd` frees it, other descriptors of this process do not.
   */
  export function tryLock(
    fd: number,
    offset?: number,
    length?: number,
    options?: { shared?: boolean },
  ): boolean
}
