import { pageGap } from '../page.ts'

const WASM_PAGE_BYTES = 64 * 1024

/** Of the part of WebAssembly that is used here; the types of Node.js do not have it. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer
  }
}

const aligned = new WeakSet<ArrayBufferLike>()
/** Each refusal costs two full collections of garbage. */
let isRefused = false

/** Shared memory that begins at a page, where the platform can give it: memory of WebAssembly always does. */
export function allocateAligned(bytes: number): Uint8Array {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES)
  if (!isRefused) {
    try {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer
      aligned.add(memory)
      return new Uint8Array(memory, 0, bytes)
    } catch {
      // It reserves 10 GiB of addresses, which a limit on them may refuse.
      isRefused = true
    }
  }
  return new Uint8Array(new SharedArrayBuffer(bytes))
}

/** Whether these bytes lie in their page as they will lie in that of the file. */
export function isAligned(bytes: Uint8Array, atBytes: number): boolean {
  return aligned.has(bytes.buffer) && pageGap(bytes.byteOffset, atBytes) === 0
}
