/** Of memory and of files: what a disk takes without a copy are whole ones. */
export const PAGE_BYTES = 4096

/** How many bytes to leave out so that what follows lies in its page of memory as in that of the file. */
export function pageGap(memoryAtBytes: number, fileAtBytes: number): number {
  return (PAGE_BYTES + (fileAtBytes % PAGE_BYTES) - (memoryAtBytes % PAGE_BYTES)) % PAGE_BYTES
}
