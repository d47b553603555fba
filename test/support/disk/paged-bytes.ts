const PAGE_BYTES = 4096
let lastToken = 0

/**
 * The content of a file as pages that copies share until one of them writes (copy on write). Holes read as zeros.
 * Invariant: the bytes of the last page beyond `size` are zero.
 */
export class PagedBytes {
  size = 0
  #pages: (Uint8Array | undefined)[] = []
  /** Which token made each page: only a page of our own token may be written in place. */
  #owners: number[] = []
  #token = ++lastToken
  #arraysShared = false

  /** An independent copy that costs nothing until one of the two is written. */
  share(): PagedBytes {
    const copy = new PagedBytes()
    copy.size = this.size
    copy.#pages = this.#pages
    copy.#owners = this.#owners
    copy.#arraysShared = true
    this.#arraysShared = true
    this.#token = ++lastToken
    return copy
  }

  write(atBytes: number, bytes: Uint8Array): void {
    this.#ownArrays()
    let done = 0
    while (done < bytes.byteLength) {
      const at = atBytes + done
      const inPage = at % PAGE_BYTES
      const length = Math.min(PAGE_BYTES - inPage, bytes.byteLength - done)
      this.#ownPage((at - inPage) / PAGE_BYTES).set(bytes.subarray(done, done + length), inPage)
      done += length
    }
    this.size = Math.max(this.size, atBytes + bytes.byteLength)
  }

  /** Cuts, or extends by a hole. */
  resize(size: number): void {
    if (size < this.size) {
      this.#ownArrays()
      const pages = Math.ceil(size / PAGE_BYTES)
      this.#pages.length = Math.min(this.#pages.length, pages)
      this.#owners.length = this.#pages.length
      const inPage = size % PAGE_BYTES
      if (inPage > 0 && this.#pages[pages - 1] !== undefined) this.#ownPage(pages - 1).fill(0, inPage)
    }
    this.size = size
  }

  /** Up to `length` bytes, fewer at the end. A copy. */
  read(atBytes: number, length: number): Uint8Array {
    const end = Math.min(this.size, atBytes + length)
    const result = new Uint8Array(Math.max(0, end - atBytes))
    let at = atBytes
    while (at < end) {
      const inPage = at % PAGE_BYTES
      const part = Math.min(PAGE_BYTES - inPage, end - at)
      const page = this.#pages[(at - inPage) / PAGE_BYTES]
      if (page !== undefined) result.set(page.subarray(inPage, inPage + part), at - atBytes)
      at += part
    }
    return result
  }

  all(): Uint8Array {
    return this.read(0, this.size)
  }

  allocatedBytes(): number {
    let pages = 0
    for (const page of this.#pages) if (page !== undefined) pages++
    return pages * PAGE_BYTES
  }

  /** How many of the bytes can be written when only `freeBytes` of new pages may be allocated. */
  writableBytes(atBytes: number, length: number, freeBytes: number): { bytes: number; newBytes: number } {
    let free = freeBytes
    let newBytes = 0
    let done = 0
    while (done < length) {
      const inPage = (atBytes + done) % PAGE_BYTES
      if (this.#pages[(atBytes + done - inPage) / PAGE_BYTES] === undefined) {
        if (free < PAGE_BYTES) break
        free -= PAGE_BYTES
        newBytes += PAGE_BYTES
      }
      done += Math.min(PAGE_BYTES - inPage, length - done)
    }
    return { bytes: done, newBytes }
  }

  #ownArrays(): void {
    if (!this.#arraysShared) return
    this.#pages = this.#pages.slice()
    this.#owners = this.#owners.slice()
    this.#arraysShared = false
  }

  #ownPage(index: number): Uint8Array {
    while (this.#pages.length < index) {
      this.#pages.push(undefined)
      this.#owners.push(0)
    }
    const page = this.#pages[index]
    if (page !== undefined && this.#owners[index] === this.#token) return page
    const own = page === undefined ? new Uint8Array(PAGE_BYTES) : page.slice()
    this.#pages[index] = own
    this.#owners[index] = this.#token
    return own
  }
}
