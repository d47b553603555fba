import { allocateAligned } from './aligned-memory.ts'

const SLAB_BYTES = 1024 * 1024
const LARGE_BYTES = 64 * 1024
const ALIGN_BYTES = 8

/** Cuts small buffers out of shared memory, so that one message to a worker names few memory blocks. */
export class SharedSlab {
  #slab: SharedArrayBuffer | undefined
  #used = 0

  allocate(bytes: number): Uint8Array {
    if (bytes >= LARGE_BYTES) return allocateAligned(bytes)
    if (this.#slab === undefined || this.#used + bytes > SLAB_BYTES) {
      this.#slab = new SharedArrayBuffer(SLAB_BYTES)
      this.#used = 0
    }
    const buffer = new Uint8Array(this.#slab, this.#used, bytes)
    this.#used += Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES
    return buffer
  }
}
